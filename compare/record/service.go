package record

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"
)

// A Service is one of the systems that a suite talks to. The only one needs no name.
type Service struct {
	Name     string   `json:"name"`
	Target   string   `json:"target"`
	Recorder string   `json:"recorder"` // URL that the suite was given
	URLEnv   []string `json:"-"`        // variables that hold it
}

// Each returns the services that the suite talked to.
func (i *Info) Each() []Service {
	if len(i.Services) > 0 {
		return i.Services
	}
	return []Service{{Target: i.Target, Recorder: i.Recorder}}
}

// TargetOf returns the URL behind a service.
func (i *Info) TargetOf(service string) string {
	for _, s := range i.Services {
		if s.Name == service {
			return s.Target
		}
	}
	return i.Target
}

// setServices notes who was recorded. A single service without a name is the target itself.
func (i *Info) setServices(list []Service) {
	if len(list) == 1 && list[0].Name == "" {
		i.Target, i.Recorder = list[0].Target, list[0].Recorder
		return
	}
	i.Target, i.Services = Targets(list), list
}

// Targets names the URLs of services in one text.
func Targets(list []Service) string {
	var words []string
	for _, s := range list {
		word := s.Target
		if s.Name != "" {
			word = s.Name + "=" + s.Target
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

// checkServices refuses services that cannot be told apart, or have no URL.
func checkServices(list []Service) error {
	if len(list) == 0 {
		return errors.New("no target: give its URL")
	}
	seen := map[string]bool{}
	for _, s := range list {
		if _, err := targetOf(s.Target); err != nil {
			return err
		}
		if seen[s.Name] {
			return fmt.Errorf("two services are called %q", s.Name)
		}
		seen[s.Name] = true
	}
	return nil
}

// A sink is where the exchanges of one run go, whichever of its recorders they passed.
type sink struct {
	out   *writer
	next  atomic.Int64
	began time.Time
}

func newSink(dir string, opts Options) (*sink, error) {
	out, err := newWriter(dir, opts.Redactor)
	return &sink{out: out, began: opts.Now()}, err
}

// close completes the file. It returns how many exchanges were written and how many could
// not be.
func (s *sink) close() (written, lost int, err error) {
	written, err = s.out.close()
	return written, int(s.next.Load()) - written, err
}

// recorders stand before the services of one run.
type recorders struct {
	sink     *sink
	list     []*Recorder
	services []Service // with the recorders' URLs
}

func newRecorders(ctx context.Context, services []Service, dir string, opts Options) (*recorders, error) {
	s, err := newSink(dir, opts)
	if err != nil {
		return nil, err
	}
	all := &recorders{sink: s}
	for _, service := range services {
		r, err := s.recorder(ctx, service, opts)
		if err != nil {
			_, _, _ = all.close(ctx) // nothing has passed
			return nil, err
		}
		service.Recorder = r.URL
		all.list, all.services = append(all.list, r), append(all.services, service)
	}
	return all, nil
}

// close is Recorder.Close for all of them.
func (r *recorders) close(ctx context.Context) (written, lost int, err error) {
	for _, one := range r.list {
		one.stop(ctx)
	}
	return r.sink.close()
}

// fillIn puts the recorders' URLs in place of {{base_url}}, of the first service, and
// {{base_url:NAME}}.
func (r *recorders) fillIn(arg string) string {
	for i, s := range r.services {
		if i == 0 || s.Name == "" {
			arg = strings.ReplaceAll(arg, "{{base_url}}", s.Recorder)
		}
		arg = strings.ReplaceAll(arg, "{{base_url:"+s.Name+"}}", s.Recorder)
	}
	return arg
}

// variables are the environment that tells the command where the recorders are.
func (r *recorders) variables() (env []string) {
	for _, s := range r.services {
		for _, name := range s.URLEnv {
			env = append(env, name+"="+s.Recorder)
		}
	}
	return env
}

// resetVariables tell a reset command which run it is for and where the targets are.
func resetVariables(run string, services []Service) []string {
	env := []string{"COMPARE_RUN=" + run, "COMPARE_TARGET=" + services[0].Target}
	for _, s := range services {
		if s.Name != "" {
			env = append(env, "COMPARE_TARGET_"+strings.ToUpper(strings.NewReplacer("-", "_", ".", "_").Replace(s.Name))+"="+s.Target)
		}
	}
	return env
}

// Named is a path as routes are made of: behind the name of its service, if it has one.
func (e *Exchange) Named() string {
	if e.Service == "" {
		return e.Path
	}
	return e.Service + ":" + e.Path
}

// orTarget is what problems call a service.
func (s *Service) orTarget() string { return cmp.Or(s.Name, s.Target) }

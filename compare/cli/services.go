package cli

import (
	"regexp"
	"slices"
	"strings"

	"github.com/stranglerfig/toolkit/compare/record"
	"github.com/stranglerfig/toolkit/internal/program"
)

// namedURL is orders=http://127.0.0.1:9008.
var namedURL = regexp.MustCompile(`^([A-Za-z0-9][A-Za-z0-9_.-]*)=(.*)$`)

// serviceURLs reads the values of a flag, each a URL or NAME=URL. The service without a name
// comes first.
func serviceURLs(flag string, values []string) ([]record.Service, error) {
	var list []record.Service
	for _, v := range values {
		s := record.Service{Target: v}
		if m := namedURL.FindStringSubmatch(v); m != nil {
			s.Name, s.Target = m[1], m[2]
		}
		if slices.ContainsFunc(list, func(o record.Service) bool { return o.Name == s.Name }) {
			return nil, program.Fail(program.Usage, "give one URL for each service, as "+flag+" orders=http://127.0.0.1:9008", "%s: two URLs for %s", flag, called(s.Name))
		}
		list = append(list, s)
	}
	slices.SortFunc(list, func(a, b record.Service) int { return strings.Compare(a.Name, b.Name) })
	return list, nil
}

// services reads the URLs that a flag gives, and gives each service the variables that
// --url-env names for it.
func (f *recordFlags) services(flag string, values []string) ([]record.Service, error) {
	list, err := serviceURLs(flag, values)
	if err != nil {
		return nil, err
	}
	for _, e := range f.urlEnv {
		variable, name, _ := strings.Cut(e, "=")
		i := slices.IndexFunc(list, func(s record.Service) bool { return s.Name == name })
		switch {
		case variable == "":
			return nil, program.Fail(program.Usage, "write --url-env ORDERS_URL=orders", "--url-env %s names no variable", e)
		case i < 0 && name == "":
			return nil, program.Fail(program.Usage, "give one, or name the service, as --url-env "+e+"=NAME", "--url-env %s: %s gives no URL without the name of a service", e, flag)
		case i < 0:
			return nil, program.Fail(program.Usage, "give it as "+flag+" "+name+"=URL", "%s gives no URL for %s, which --url-env %s names", flag, name, e)
		}
		list[i].URLEnv = append(list[i].URLEnv, variable)
	}
	for i := range list {
		if len(list[i].URLEnv) == 0 {
			list[i].URLEnv = []string{variableOf(list[i].Name)}
		}
	}
	return list, nil
}

// variableOf is the variable that tells the URL of a service unless --url-env names another.
func variableOf(service string) string {
	if service == "" {
		return "BASE_URL"
	}
	return strings.ToUpper(strings.NewReplacer("-", "_", ".", "_").Replace(service)) + "_URL"
}

func called(name string) string {
	if name == "" {
		return "the service without a name"
	}
	return name
}

// both reads --before and --after, which have to give URLs for the same services.
func (f *recordFlags) both(before, after []string) (both [2][]record.Service, err error) {
	if both[0], err = f.services("--before", before); err != nil {
		return both, err
	}
	if both[1], err = f.services("--after", after); err != nil {
		return both, err
	}
	for side, flag := range [...]string{"--after", "--before"} {
		for _, s := range both[side] {
			if !slices.ContainsFunc(both[1-side], func(o record.Service) bool { return o.Name == s.Name }) {
				return both, program.Fail(program.Usage, "both sides need one", "%s gives no URL for %s", flag, called(s.Name))
			}
		}
	}
	return both, nil
}

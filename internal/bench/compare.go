package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// A compareRun measures strangler compare with the real program: this program is the system
// under test and the suite, in processes of their own.
type compareRun struct {
	settings
	strangler, self string
	exchanges       int // of a recording that is compared
	reported        int // of one of which the page is weighed
	laps            int // exchanges each way, for what the recorder adds
}

// What the tool promises.
const (
	goalCompare = 5.0 // seconds for 10,000 exchanges
	goalMemory  = 200e6
	goalAdded   = 0.5 // milliseconds, in the middle
	goalPage    = 5e6 // bytes of report.html for 5,000 exchanges
)

func measureCompare(ctx context.Context, s settings) ([]section, error) {
	strangler, err := s.path("strangler")
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("this program: %w", err)
	}
	r := &compareRun{settings: s, strangler: strangler, self: self, exchanges: 10_000, reported: 5_000, laps: 5_000}
	if s.short {
		r.exchanges, r.reported, r.laps = 1000, 500, 500
	}
	judged, err := r.judged(ctx)
	if err != nil {
		return nil, err
	}
	recorder, err := r.recorder(ctx)
	if err != nil {
		return nil, err
	}
	page, err := r.page(ctx)
	if err != nil {
		return nil, err
	}
	return []section{judged, recorder, page}, nil
}

// judged compares three recordings of many exchanges, several times.
func (r *compareRun) judged(ctx context.Context) (section, error) {
	list, err := r.recordings(ctx, "judged", r.exchanges, healthy, healthy, healthy)
	if err != nil {
		return section{}, err
	}
	var took, processor []time.Duration
	var memory int64
	for round := range r.rounds {
		fmt.Fprintf(r.say, "compare: %d exchanges, round %d\n", r.exchanges, round+1)
		d, err := r.diff(ctx, list, 0)
		if err != nil {
			return section{}, err
		}
		took, processor, memory = append(took, d.took), append(processor, d.processor), max(memory, d.memory)
	}
	seconds := median(took).Seconds()
	return section{
		title:  "Judging recordings",
		text:   fmt.Sprintf("`strangler compare diff` on two recordings of BEFORE and one of AFTER with %d exchanges each, whose answers are orders of 2 KiB with ids and times of their own: the middle of %d rounds, and the most memory of all.", r.exchanges, r.rounds),
		header: []string{"exchanges", "time", "processor", "memory", "time, goal", "memory, goal"},
		rows: [][]string{{
			fmt.Sprint(r.exchanges), fmt.Sprintf("%.2f s", seconds), fmt.Sprintf("%.2f s", median(processor).Seconds()), megabytes(memory),
			within(seconds <= goalCompare, "5 s"), within(memory <= goalMemory, "200 MB"),
		}},
	}, nil
}

// recorder sends requests to the system, in turns directly and through the recorder.
func (r *compareRun) recorder(ctx context.Context) (section, error) {
	fmt.Fprintf(r.say, "compare: the recorder, %d exchanges each way\n", r.laps)
	upstream, addr, err := r.system(ctx, healthy)
	if err != nil {
		return section{}, err
	}
	defer upstream.stop()
	dir := filepath.Join(r.dir, "laps")
	if err := r.record(ctx, dir, addr, fmt.Sprintf("laps=%d={{base_url}}=http://%s", r.laps, addr)); err != nil {
		return section{}, err
	}
	got, err := readLaps(filepath.Join(dir, "output.log"))
	if err != nil {
		return section{}, err
	}
	added := got.Through - got.Direct
	return section{
		title:  "The recorder",
		text:   fmt.Sprintf("%d requests one after the other, in turns directly and through the recorder of `strangler compare record`, each with an answer of 2 KiB: the middle of each.", 2*r.laps),
		header: []string{"directly", "through the recorder", "added", "goal"},
		rows:   [][]string{{ms(got.Direct), ms(got.Through), ms(added), within(added.Seconds()*1000 < goalAdded, "0.5 ms")}},
	}, nil
}

// page weighs the report of a system in which something is wrong in every answer.
func (r *compareRun) page(ctx context.Context) (section, error) {
	list, err := r.recordings(ctx, "page", r.reported, healthy, healthy, faulty)
	if err != nil {
		return section{}, err
	}
	fmt.Fprintf(r.say, "compare: the report of %d exchanges\n", r.reported)
	d, err := r.diff(ctx, list, 1)
	if err != nil {
		return section{}, err
	}
	page, err := os.Stat(filepath.Join(d.dir, "report.html"))
	if err != nil {
		return section{}, err
	}
	return section{
		title:  "The report",
		text:   fmt.Sprintf("`report.html` of %d exchanges of %d routes; three values of each answer of AFTER are wrong.", r.reported, orderRoutes),
		header: []string{"exchanges", "report.html", "goal"},
		rows:   [][]string{{fmt.Sprint(r.reported), fmt.Sprintf("%.2f MB", float64(page.Size())/1e6), within(page.Size() < goalPage, "5 MB")}},
	}, nil
}

// system starts what is tested.
func (r *compareRun) system(ctx context.Context, kind string) (*process, string, error) {
	addr, err := freeAddress(ctx)
	if err != nil {
		return nil, "", err
	}
	p, err := start(ctx, r.self, "http://"+addr+"/healthz", 10*time.Second, standInFlag, kind+"="+addr)
	return p, addr, err
}

// recordings records one run of the suite against each of some systems.
func (r *compareRun) recordings(ctx context.Context, name string, exchanges int, kinds ...string) (dirs []string, err error) {
	for i, kind := range kinds {
		fmt.Fprintf(r.say, "compare: record %d exchanges, %d of %d\n", exchanges, i+1, len(kinds))
		upstream, addr, err := r.system(ctx, kind)
		if err != nil {
			return nil, err
		}
		dir := filepath.Join(r.dir, fmt.Sprintf("%s-%d", name, i+1))
		err = r.record(ctx, dir, addr, fmt.Sprintf("suite=%d={{base_url}}", exchanges))
		upstream.stop()
		if err != nil {
			return nil, err
		}
		dirs = append(dirs, dir)
	}
	return dirs, nil
}

func (r *compareRun) record(ctx context.Context, dir, addr, suite string) error {
	out, err := exec.CommandContext(ctx, r.strangler, "compare", "record", "--quiet", "--results", "exit", "--target", "http://"+addr, "--out", dir,
		"--", r.self, standInFlag, suite).CombinedOutput()
	if err != nil {
		return fmt.Errorf("compare record: %w: %s", err, out)
	}
	return nil
}

// A judgment is what one run of compare diff took.
type judgment struct {
	dir             string // of the reports
	took, processor time.Duration
	memory          int64
}

// diff compares recordings, which has to end with a code.
func (r *compareRun) diff(ctx context.Context, recordings []string, code int) (judgment, error) {
	d := judgment{dir: filepath.Join(r.dir, "reports")}
	cmd := exec.CommandContext(ctx, r.strangler, slices.Concat([]string{"compare", "diff", "--out", d.dir}, recordings)...)
	began := time.Now()
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return d, fmt.Errorf("compare diff: %w: %s", err, out)
	}
	if got := cmd.ProcessState.ExitCode(); got != code {
		return d, fmt.Errorf("compare diff ended with exit code %d, and not %d: %s", got, code, out)
	}
	d.took, d.processor = time.Since(began), cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime()
	if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		d.memory = usage.Maxrss << 10
	}
	return d, nil
}

// readLaps finds what came of the laps in what the suite printed.
func readLaps(path string) (got laps, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return got, err
	}
	for in := bufio.NewScanner(bytes.NewReader(text)); in.Scan(); {
		if line := in.Text(); strings.HasPrefix(line, "{") {
			return got, json.Unmarshal([]byte(line), &got)
		}
	}
	return got, fmt.Errorf("%s holds no figures: %s", path, text)
}

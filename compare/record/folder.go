package record

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/stranglerfig/toolkit/compare/outcome"
	"github.com/stranglerfig/toolkit/compare/state"
)

// The files of a recording.
const (
	infoFile      = "run.json"
	exchangesFile = "exchanges.ndjson"
	outcomesFile  = "outcomes.json"
	outputFile    = "output.log"
	resetFile     = "reset.log" // as the reset command wrote it
)

// The ways a run can end.
const (
	Running     = "running" // or the recorder was killed
	Complete    = "complete"
	TimedOut    = "timed out"
	Interrupted = "interrupted"
)

// NoResults is Info.Results of a recording that no suite made.
const NoResults = "none"

// Info says what a recording is of.
type Info struct {
	Schema    int       `json:"schema"` // 1
	Name      string    `json:"name"`   // "before 1"
	Target    string    `json:"target"`
	Recorder  string    `json:"recorder"`           // URL that the suite was given
	Services  []Service `json:"services,omitempty"` // of a suite that talks to several
	Command   []string  `json:"command"`            // without secrets
	Results   string    `json:"results"`            // how the outcomes were read
	Started   time.Time `json:"started"`
	Ended     time.Time `json:"ended,omitzero"`
	Status    string    `json:"status"`
	ExitCode  int       `json:"exit_code"`
	Exchanges int       `json:"exchanges"`
	Lost      int       `json:"lost,omitempty"`    // exchanges that could not be written
	Problem   string    `json:"problem,omitempty"` // why the run is not valid
}

// A Recording is what [Open] reads.
type Recording struct {
	Dir       string
	Info      Info
	Exchanges []Exchange // by Seq
	Outcomes  outcome.Outcomes
	State     []state.Table // of the databases, if it was kept
	Torn      bool          // the last line was cut off: the recorder was killed

	later bool // the exchanges are still to be read
}

// limits of what is read, so that a foreign file cannot exhaust memory.
const (
	maxLine      = 64 << 20
	maxExchanges = 1_000_000
)

// Open reads the recording in dir. One that was cut off in the middle is read up to there.
func Open(dir string) (*Recording, error) {
	r, err := OpenLater(dir)
	if err != nil {
		return nil, err
	}
	return r, r.Load()
}

// Load reads the exchanges of a recording that OpenLater opened; of any other it does nothing.
func (r *Recording) Load() error {
	if !r.later {
		return nil
	}
	r.later = false
	return r.readExchanges()
}

// Drop forgets the exchanges of a recording in a folder, so that another one has room.
func (r *Recording) Drop() {
	if info, err := os.Stat(r.Dir); err == nil && info.IsDir() {
		r.Exchanges, r.later = nil, true
	}
}

// OpenLater is Open without the exchanges: Load reads them.
func OpenLater(dir string) (*Recording, error) {
	r := &Recording{Dir: dir, later: true}
	if err := readJSON(filepath.Join(dir, infoFile), &r.Info); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%s is no recording: it has no %s: %w", dir, infoFile, fs.ErrNotExist)
		}
		return nil, err
	}
	if r.Info.Schema != 1 {
		return nil, fmt.Errorf("%s: schema %d, but this program reads 1", filepath.Join(dir, infoFile), r.Info.Schema)
	}
	if err := readJSON(filepath.Join(dir, outcomesFile), &r.Outcomes); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	tables, err := state.Load(dir)
	if err != nil {
		return nil, err
	}
	r.State = tables
	return r, nil
}

func (r *Recording) readExchanges() error {
	var headers interner
	path := filepath.Join(r.Dir, exchangesFile)
	if n := r.Info.Exchanges; n > 0 && n <= maxExchanges {
		r.Exchanges = make([]Exchange, 0, n)
	}
	torn, err := eachLine(path, func(n int, text []byte) error {
		if n > maxExchanges {
			return fmt.Errorf("%s: more than %d exchanges", path, maxExchanges)
		}
		var l line
		err := json.Unmarshal(text, &l) // and not into an Exchange: each Unmarshaler costs two more readings of the text
		if err != nil {
			return fmt.Errorf("%s:%d: %w", path, n, err)
		}
		e, err := l.exchange()
		if err != nil {
			return fmt.Errorf("%s:%d: %w", path, n, err)
		}
		e.Request.Header, e.Response.Header = headers.header(e.Request.Header), headers.header(e.Response.Header)
		r.Exchanges = append(r.Exchanges, e)
		return nil
	})
	r.Torn = torn
	slices.SortStableFunc(r.Exchanges, func(a, b Exchange) int { return a.Seq - b.Seq })
	return err
}

// eachLine calls do for each whole line of a file; a line without its end is left out.
func eachLine(path string, do func(n int, text []byte) error) (torn bool, err error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	in := bufio.NewReaderSize(f, 256<<10)
	for n := 1; ; n++ {
		text, err := readLine(in)
		switch {
		case errors.Is(err, io.EOF):
			return len(bytes.TrimSpace(text)) > 0, nil
		case err != nil:
			return false, fmt.Errorf("%s:%d: %w", path, n, err)
		}
		if err := do(n, text); err != nil {
			return false, err
		}
	}
}

// readLine returns the next line with its end, or io.EOF with what stands after the last one.
func readLine(in *bufio.Reader) ([]byte, error) {
	var text []byte
	for {
		part, err := in.ReadSlice('\n')
		if text == nil && err == nil {
			return part, nil
		}
		text = append(text, part...)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return text, err
		}
		if len(text) > maxLine {
			return nil, fmt.Errorf("a line of more than %d bytes", maxLine)
		}
	}
}

func readJSON(path string, into any) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// writeJSON replaces a file in one step.
func writeJSON(path string, v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	part := path + ".part"
	if err := os.WriteFile(part, append(text, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(part, path)
}

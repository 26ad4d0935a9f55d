package record

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/stranglerfig/toolkit/compare/outcome"
)

// harFile is the recording as other tools read it.
const harFile = "run.har"

// harRun is what a HAR of ours says of the run, before its entries.
type harRun struct {
	Run      Info             `json:"run"`
	Outcomes outcome.Outcomes `json:"outcomes"`
}

const harHead = `{"log":{"version":"1.2","creator":{"name":"strangler compare","version":"1"},"pages":[],"_compare":`

// writeHAR assembles run.har from what a run has written, an exchange at a time. It holds what
// the recording holds, so no secrets either; the state of databases is not in it.
func writeHAR(dir string, info *Info) error {
	head := harRun{Run: *info}
	if err := readJSON(filepath.Join(dir, outcomesFile), &head.Outcomes); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	path := filepath.Join(dir, harFile)
	f, err := os.OpenFile(path+".part", os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	err = harText(f, dir, &head)
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(path+".part"))
	}
	return os.Rename(path+".part", path)
}

func harText(f *os.File, dir string, head *harRun) error {
	out := bufio.NewWriterSize(f, 256<<10)
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	_, _ = out.WriteString(harHead) // Flush tells what went wrong
	if err := encoder.Encode(head); err != nil {
		return err
	}
	_, _ = out.WriteString(`,"entries":[`)
	_, err := eachLine(filepath.Join(dir, exchangesFile), func(n int, text []byte) error {
		var e Exchange
		if err := json.Unmarshal(text, &e); err != nil {
			return fmt.Errorf("%s:%d: %w", exchangesFile, n, err)
		}
		if n > 1 {
			_ = out.WriteByte(',')
		}
		return encoder.Encode(harOf(&e, &head.Run))
	})
	_, _ = out.WriteString("]}}\n")
	return errors.Join(err, out.Flush())
}

package strangler_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	strangler "github.com/stranglerfig/toolkit/strangler-proxy"
)

// TestAFileBesideItCostsNoReading: what is written beside the configuration file, an
// access log say, does not make the proxy read that again and again. A change of it is
// still noticed at once.
func TestAFileBesideItCostsNoReading(t *testing.T) {
	t.Parallel()
	m, s := newEcho(t, "monolith"), newEcho(t, "s")
	route := func(stage string) string {
		return "monolith: " + m.URL + "\nservices: { s: \"" + s.URL + "\" }\nroutes: { r: { match: GET /r, to: s, stage: " + stage + ", shadow: off } }\n"
	}
	r := start(t, route("monolith"), func(o *strangler.Options) { o.PollEvery = time.Hour })
	r.write(route("live"))
	await(t, "a notice", func() bool { return r.do("GET", "/r", nil).saw.Server == "s" })

	opens := opensOf(t, r.path)
	beside, err := os.Create(filepath.Join(filepath.Dir(r.path), "access.log"))
	if err != nil {
		t.Fatal(err)
	}
	defer beside.Close()
	for range 300 {
		if _, err := beside.WriteString("a line\n"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond) // so that each is a notice of its own
	}
	before := opens()
	if before > 30 { // some looks may still be under way; one a line would be 300
		t.Errorf("300 lines beside the file, and it was opened %d times", before)
	}
	r.write(route("monolith"))
	await(t, "the change after them", func() bool { return r.do("GET", "/r", nil).saw.Server == "monolith" })
	if opens() == 0 {
		t.Error("the file was never opened: this test sees nothing")
	}
}

// opensOf counts how often a file is opened from now on.
func opensOf(t *testing.T, path string) (count func() int) {
	fd, err := syscall.InotifyInit1(syscall.IN_NONBLOCK | syscall.IN_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Close(fd) })
	if _, err := syscall.InotifyAddWatch(fd, path, syscall.IN_OPEN|syscall.IN_CLOSE_NOWRITE); err != nil {
		t.Fatal(err)
	}
	return func() int {
		events := make([]byte, 1<<16)
		n, _ := syscall.Read(fd, events)
		return (max(n, 0)/syscall.SizeofInotifyEvent + 1) / 2 // a pair each time, as equal events in a row would become one
	}
}

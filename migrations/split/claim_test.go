package split_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stranglerfig/toolkit/internal/program"
	"github.com/stranglerfig/toolkit/migrations/split"
	"github.com/stranglerfig/toolkit/migrations/split/testkit"
)

// TestClaimTakenElsewhereNamesItsHolder begins a second engine that the first one's control
// file knows nothing of, as on another machine. The first has to end at its next write, and
// to say who it was.
func TestClaimTakenElsewhereNamesItsHolder(t *testing.T) {
	t.Parallel()
	s := newSite(t, 100)
	verified, ended := make(chan struct{}, 1), make(chan error, 1)
	go func() {
		ended <- run(t.Context(), s.engine(nil), split.RunOptions{Watch: func(l split.Live) {
			if l.Verified {
				select {
				case verified <- struct{}{}:
				default:
				}
			}
		}})
	}()
	select {
	case <-verified:
	case err := <-ended:
		t.Fatal(err)
	}
	other, err := s.engine(nil).Begin(t.Context(), "verify", split.Begun)
	testkit.Check(t, err)
	defer other.End()
	s.exec(`UPDATE notes SET body = 'for whoever has the claim'`)
	select {
	case err := <-ended:
		host, _ := os.Hostname()
		want := fmt.Sprintf("it is strangler split verify, process %d on %s, since %s", os.Getpid(), host, time.Now().UTC().Format("2006-01-02 "))
		if program.Code(err) != program.Refused || !strings.Contains(err.Error(), want) {
			t.Errorf("%v\nwant exit code 4 and %q", err, want)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the first engine goes on without the claim")
	}
}

// TestMoveOfAnEarlierProgramIsClaimed takes away the column that earlier programs did not
// make: a move that they began goes on.
func TestMoveOfAnEarlierProgramIsClaimed(t *testing.T) {
	t.Parallel()
	s := newSite(t, 100)
	testkit.Check(t, run(t.Context(), s.engine(nil), split.RunOptions{Until: split.ByCopied}))
	s.exec(`ALTER TABLE _strangler_ctl DROP COLUMN holder`)
	e := s.engine(nil)
	status, err := e.Status(t.Context())
	testkit.Check(t, err)
	if status.SourceState.Move == "" || status.SourceState.Holder != "" {
		t.Errorf("%+v", status.SourceState)
	}
	testkit.Check(t, run(t.Context(), e, split.RunOptions{Until: split.ByVerified}))
	s.equal()
}

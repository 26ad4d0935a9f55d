package route_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/stranglerfig/toolkit/strangler-proxy/route"
)

func TestStages(t *testing.T) {
	t.Parallel()
	all := []struct {
		stage route.Stage
		text  string
		share int
	}{
		{route.Monolith, "monolith", 0},
		{route.Shadow, "shadow", 0},
		{route.Canary(0), "canary 0%", 0},
		{route.Canary(1), "canary 0.01%", 1},
		{route.Canary(50), "canary 0.5%", 50},
		{route.Canary(5_00), "canary 5%", 5_00},
		{route.Canary(12_34), "canary 12.34%", 12_34},
		{route.Canary(100_00), "canary 100%", 100_00},
		{route.Live, "live", 100_00},
		{route.Done, "done", 100_00},
	}
	for i, s := range all {
		parsed, err := route.ParseStage(s.text)
		if err != nil || parsed != s.stage || s.stage.String() != s.text || s.stage.Share() != s.share {
			t.Errorf("%s: %v %v, share %d", s.text, parsed, err, parsed.Share())
		}
		if i > 0 && s.stage <= all[i-1].stage {
			t.Errorf("%s does not come after %s", s.text, all[i-1].text)
		}
		if s.stage.Word() != strings.Fields(s.text)[0] || route.StageWords()[s.stage.Step()] != s.stage.Word() {
			t.Errorf("%s: word %q, step %d", s.text, s.stage.Word(), s.stage.Step())
		}
		text, err := json.Marshal(s.stage)
		var back route.Stage
		if err != nil || string(text) != fmt.Sprintf("%q", s.text) || json.Unmarshal(text, &back) != nil || back != s.stage {
			t.Errorf("%s as JSON: %s %v %v", s.text, text, err, back)
		}
	}
	var path []string
	for s := route.Stage(0); ; {
		if s = s.Next(); s == 0 {
			break
		}
		path = append(path, s.String())
	}
	if want := "shadow, canary 5%, canary 25%, canary 50%, canary 100%, live, done"; strings.Join(path, ", ") != want || route.Canary(5_01).Next() != route.Canary(25_00) {
		t.Errorf("a migration goes %q", path)
	}
	var none route.Stage
	if none.String() != "" || none.Step() != -1 || none.Share() != 0 || json.Unmarshal([]byte(`""`), &none) != nil || none >= route.Monolith {
		t.Errorf("no stage: %q %d", none, none.Step())
	}
}

func TestStageErrors(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"": "unknown stage", "liv": "unknown stage", "5%": "write canary 5%", "Live": "unknown stage", " live": "unknown stage", "canary5%": "unknown stage",
		"live ": "nothing may follow", "done 5%": "nothing may follow", "canary": "for how many clients", "canary ": "for how many clients",
		"canary 5": "has no %", "canary 5 %": "no percentage", "canary  5%": "no percentage", "canary %": "no percentage", "canary 5,5%": "no percentage",
		"canary 5.%": "no percentage", "canary .5%": "no percentage", "canary -1%": "no percentage", "canary 1e1%": "no percentage", "canary 5%%": "no percentage",
		"canary 0.001%": "two decimals", "canary 100.01%": "more than 100%", "canary 101%": "more than 100%", "canary 99999999999999999999%": "more than 100%",
		"canary 5% now": "has no %", "canary ٥%": "no percentage",
	} {
		if s, err := route.ParseStage(text); err == nil || !strings.Contains(err.Error(), want) || s != 0 {
			t.Errorf("%q: %v %v, want %q", text, s, err, want)
		}
	}
	for _, share := range []int{-1, 100_01} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("a canary of %d was made", share)
				}
			}()
			route.Canary(share)
		}()
	}
	if !slices.Equal(route.StageWords(), []string{"monolith", "shadow", "canary", "live", "done"}) {
		t.Errorf("%v", route.StageWords())
	}
}

// What is printed is read back as the same, and nothing else is read at all.
func TestStageProperty(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		share := rapid.IntRange(0, route.Everyone).Draw(t, "share")
		canary := route.Canary(share)
		if back, err := route.ParseStage(canary.String()); err != nil || back != canary || back.Share() != share || !back.IsCanary() {
			t.Fatalf("%s: %v %v", canary, back, err)
		}
		text := rapid.StringMatching(`(canary |live|done|shadow|monolith)?[0-9.% ]{0,8}`).Draw(t, "text")
		if s, err := route.ParseStage(text); err == nil {
			if back, err := route.ParseStage(s.String()); err != nil || back != s {
				t.Fatalf("%q is read as %s and not read back", text, s)
			}
		}
	})
}

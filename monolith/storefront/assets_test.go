package storefront_test

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestVendoredFiles compares every vendored file with its line in VENDOR.md.
func TestVendoredFiles(t *testing.T) {
	t.Parallel()
	list, err := os.ReadFile("static/vendor/VENDOR.md")
	must(t, err)
	sums := map[string]string{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\| .+ \\| [0-9.]+ \\| .+ \\| `([0-9a-f]{64})` \\|$").FindAllStringSubmatch(string(list), -1) {
		sums[m[1]] = m[2]
	}
	files, err := filepath.Glob("static/vendor/*")
	must(t, err)
	for _, path := range files {
		name := filepath.Base(path)
		if name == "VENDOR.md" {
			continue
		}
		body, err := os.ReadFile(path)
		must(t, err)
		sum := sha256.Sum256(body)
		if got := hex.EncodeToString(sum[:]); got != sums[name] {
			t.Errorf("%s has sha256 %s, VENDOR.md says %q", name, got, sums[name])
		}
		delete(sums, name)
	}
	for name := range sums {
		t.Errorf("VENDOR.md lists %s, which is not there", name)
	}
}

// TestStaticFilesAreKept asks for what the first page loads: under its own address
// each file may be kept for ever, under the bare one it is asked for again.
func TestStaticFilesAreKept(t *testing.T) {
	t.Parallel()
	v := open(t, nil).visitor(t)
	found := regexp.MustCompile(`"(/static/[^"]+)\?v=([0-9a-f]+)"`).FindAllStringSubmatch(v.page("/"), -1)
	if len(found) < 10 {
		t.Fatalf("%d static files on the page", len(found))
	}
	for _, m := range found {
		kept := v.get(m[1] + "?v=" + m[2])
		if kept.status != 200 || kept.header.Get("Cache-Control") != "public, max-age=31536000, immutable" {
			t.Errorf("%s: %d, Cache-Control %q", m[0], kept.status, kept.header.Get("Cache-Control"))
		}
		for _, address := range []string{m[1], m[1] + "?v=old"} {
			bare := v.get(address)
			if bare.status != 200 || bare.header.Get("Cache-Control") != "public, max-age=300" || bare.header.Get("ETag") != `"`+m[2]+`"` {
				t.Errorf("%s: %d, Cache-Control %q, ETag %s", address, bare.status, bare.header.Get("Cache-Control"), bare.header.Get("ETag"))
			}
		}
		if again := v.get(m[1], "If-None-Match", `"`+m[2]+`"`); again.status != http.StatusNotModified || again.body != "" {
			t.Errorf("%s again: %d", m[1], again.status)
		}
	}
}

// TestEverySeededPictureIsServed also sees that none is the stand-in.
func TestEverySeededPictureIsServed(t *testing.T) {
	t.Parallel()
	s := open(t, nil)
	v := s.visitor(t)
	var pictures, categories []string
	must(t, s.DB.Select(&pictures, `SELECT DISTINCT url FROM product_images`))
	must(t, s.DB.Select(&categories, `SELECT slug FROM categories`))
	for _, slug := range categories {
		pictures = append(pictures, "/static/products/"+slug+".svg", "/static/products/"+slug+"-8.svg")
	}
	if len(pictures) < 100 {
		t.Fatalf("only %d pictures", len(pictures))
	}
	for _, address := range pictures {
		res := v.get(address)
		if res.status != 200 || res.header.Get("Content-Type") != "image/svg+xml" || !strings.HasPrefix(res.body, "<svg ") {
			t.Errorf("%s: %d %s", address, res.status, res.header.Get("Content-Type"))
		}
	}
}

// TestPicturesElsewhere shows a parcel for what the content policy would stop.
func TestPicturesElsewhere(t *testing.T) {
	t.Parallel()
	s := open(t, nil)
	for i, address := range []string{"https://evil.example/a.png", "//evil.example/a.png", "/static/none.svg", ""} {
		_, err := s.DB.Writer().Exec(`UPDATE product_images SET url = ? WHERE product_id = ?`, address, i+1)
		must(t, err)
		body := s.visitor(t).page("/p/" + string(rune('1'+i)))
		if !strings.Contains(body, "/static/products/parcel.svg?v=") || strings.Contains(body, "evil") {
			t.Errorf("picture %q: %s", address, body)
		}
	}
}

package storefront

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"
)

//go:embed static
var staticFiles embed.FS

// An asset is one static file as it is served; its hash names its content.
type asset struct {
	body []byte
	kind string
	hash string
}

// assets are the static files by their path below /static/, read once.
type assets map[string]asset

func newAssets() (assets, error) {
	all := assets{}
	err := fs.WalkDir(staticFiles, "static", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		body, err := staticFiles.ReadFile(name)
		if err != nil {
			return err
		}
		name = strings.TrimPrefix(name, "static/")
		if path.Dir(name) == "products" {
			all.addProductArt(strings.TrimSuffix(path.Base(name), ".svg"), body)
			return nil
		}
		all.add(name, body)
		return nil
	})
	if err == nil {
		err = all.shareProductArt()
	}
	if err != nil {
		return nil, fmt.Errorf("read static files: %w", err)
	}
	return all, nil
}

// add keeps a file of a kind that browsers are given; other files stay private.
func (a assets) add(name string, body []byte) {
	kinds := map[string]string{
		".css": "text/css; charset=utf-8",
		".js":  "text/javascript; charset=utf-8",
		".svg": "image/svg+xml",
	}
	kind, ok := kinds[path.Ext(name)]
	if !ok {
		return
	}
	sum := sha256.Sum256(body)
	a[name] = asset{body: body, kind: kind, hash: hex.EncodeToString(sum[:8])}
}

// url is the address of a static file that changes with its content, so that a
// browser may keep it for ever. Asking for a file there is not is our own bug.
func (a assets) url(name string) (string, error) {
	file, ok := a[name]
	if !ok {
		return "", fmt.Errorf("no static file %q", name)
	}
	return "/static/" + name + "?v=" + file.hash, nil
}

// image is the address at which a page shows a product's picture. The content
// policy admits pictures of this shop only; in place of others, and of those there
// are not, a parcel is shown.
func (a assets) image(address string) string {
	name, static := strings.CutPrefix(address, "/static/")
	if !static && strings.HasPrefix(address, "/") && !strings.HasPrefix(address, "//") {
		return address
	}
	if _, ok := a[name]; !static || !ok {
		name = "products/parcel.svg"
	}
	return "/static/" + name + "?v=" + a[name].hash
}

// ServeHTTP serves the static files below /static/.
func (a assets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	file := a[strings.TrimPrefix(r.URL.Path, "/static/")]
	h := w.Header()
	h.Set("Content-Type", file.kind)
	h.Set("ETag", strconv.Quote(file.hash))
	h.Set("Cache-Control", "public, max-age=300")
	if r.URL.Query().Get("v") == file.hash {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(file.body))
}

func (a assets) has(r *http.Request) bool {
	_, ok := a[strings.TrimPrefix(r.URL.Path, "/static/")]
	return ok
}

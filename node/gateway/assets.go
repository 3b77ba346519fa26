package gateway

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"
)

//go:embed web
var web embed.FS

// mediaTypes names what the page consists of; a file of another kind in web/ is an
// error at start, so that nothing is served by guess.
var mediaTypes = map[string]string{
	".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8",
	".svg": "image/svg+xml", ".webmanifest": "application/manifest+json",
}

type asset struct {
	body      []byte
	kind, tag string
}

// assets is the embedded page, by path.
type assets struct{ files map[string]asset }

func newAssets() (*assets, error) {
	a := &assets{files: map[string]asset{}}
	err := fs.WalkDir(web, "web", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		kind, ok := mediaTypes[path.Ext(p)]
		if !ok {
			return fmt.Errorf("gateway: web/%s: no media type for %s", p, path.Ext(p))
		}
		b, err := web.ReadFile(p)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(b)
		a.files[strings.TrimPrefix(p, "web")] = asset{b, kind, `"` + hex.EncodeToString(sum[:12]) + `"`}
		return nil
	})
	a.files["/"] = a.files["/index.html"]
	return a, err
}

// serve answers with a file of the page. Files are revalidated by their hash, so a
// new version of the node shows its new page at once.
func (a *assets) serve(w http.ResponseWriter, r *http.Request) {
	f, ok := a.files[r.URL.Path]
	if !ok {
		invalid(w, http.StatusNotFound, "no-page", "There is nothing at this address.", "Open / for the player page.")
		return
	}
	h := w.Header()
	h.Set("Content-Type", f.kind)
	h.Set("Cache-Control", "no-cache")
	h.Set("ETag", f.tag)
	if f.kind == mediaTypes[".html"] {
		// A link on somebody else's page must not start a game by itself: the page reads
		// here whether a person opened it (typed, bookmark, command line) or a site did.
		h.Set("Server-Timing", `opened;desc="`+opened(r.Header.Get("Sec-Fetch-Site"))+`"`)
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(f.body))
}

// opened says who led to the page: "direct", "site", or "unknown" for a browser that
// does not say.
func opened(site string) string {
	switch site {
	case "none", "same-origin":
		return "direct"
	case "":
		return "unknown"
	}
	return "site"
}

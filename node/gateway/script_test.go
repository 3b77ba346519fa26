package gateway

import (
	"io/fs"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/framemesh/framemesh/node/gateway/browsertest"
)

// The page's pure modules have tests of their own, which node runs.
func TestPageModules(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		browsertest.Missing(t, "node is not installed: it runs the tests of the page's modules")
	}
	cmd := exec.Command(node, "--test", "webtest/")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if m := regexp.MustCompile(`(?m)^# pass (\d+)$`).FindSubmatch(out); m == nil || len(m[1]) < 2 {
		t.Fatalf("fewer than ten tests ran:\n%s", out)
	}
}

var (
	imported  = regexp.MustCompile(`(?m)^import .*?from '\./([\w.]+)';`)
	preloaded = regexp.MustCompile(`rel="modulepreload" href="/([\w.]+)"`)
)

// later are the modules that are fetched once there is a picture.
var later = map[string]bool{"witness.js": true, "taken.js": true, "gone.js": true, "refund.js": true, "proofs.js": true}

// Every module is fetched at once: a module that is found only through another's
// import costs the first picture a round trip.
func TestEveryModuleIsPreloaded(t *testing.T) {
	html, err := web.ReadFile("web/index.html")
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for _, m := range preloaded.FindAllSubmatch(html, -1) {
		listed[string(m[1])] = true
	}
	files, err := fs.Glob(web, "web/*.js")
	if err != nil || len(files) < 10 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		name := strings.TrimPrefix(f, "web/")
		if later[name] == listed[name] {
			t.Errorf("index.html does not preload %s, or preloads it though the first picture does without it", name)
		}
		delete(listed, name)
		b, err := web.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range imported.FindAllSubmatch(b, -1) {
			if _, err := web.ReadFile("web/" + string(m[1])); err != nil {
				t.Errorf("%s imports %s, which does not exist", name, m[1])
			}
		}
		if strings.Contains(string(b), "innerHTML") || strings.Contains(string(b), "eval(") {
			t.Errorf("%s makes code or markup out of text", name)
		}
	}
	for name := range listed {
		t.Errorf("index.html preloads %s, which does not exist", name)
	}
	if s := string(html); strings.Contains(s, "style=") || strings.Contains(s, "onclick") || strings.Contains(s, "<script>") {
		t.Error("index.html has something inline, which the page's policy forbids")
	}
}

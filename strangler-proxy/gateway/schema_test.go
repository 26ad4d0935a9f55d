package gateway_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/stranglerfig/toolkit/strangler-proxy/gateway"
)

// schema is the real schema of HTTPRoute, from the module that defines it. It is
// required by tools/go.mod only, so that the product does not depend on it.
var schema = sync.OnceValues(func() (*jsonschema.Schema, error) {
	cmd := exec.Command("go", "mod", "download", "-modfile=tools/go.mod", "-json", "sigs.k8s.io/gateway-api")
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if err != nil {
		return nil, err
	}
	var module struct{ Dir string }
	if err := json.Unmarshal(out, &module); err != nil {
		return nil, err
	}
	text, err := os.ReadFile(filepath.Join(module.Dir, "config/crd/standard/gateway.networking.k8s.io_httproutes.yaml"))
	if err != nil {
		return nil, err
	}
	text, err = yaml.YAMLToJSON(text)
	if err != nil {
		return nil, err
	}
	var crd struct {
		Spec struct {
			Versions []struct {
				Name   string
				Schema struct{ OpenAPIV3Schema any }
			}
		}
	}
	if err := json.Unmarshal(text, &crd); err != nil {
		return nil, err
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("httproute.json", strict(crd.Spec.Versions[0].Schema.OpenAPIV3Schema)); err != nil {
		return nil, err
	}
	return compiler.Compile("httproute.json")
})

// strict makes unknown fields errors, as kubectl does, and drops what is no JSON Schema.
func strict(node any) any {
	switch node := node.(type) {
	case []any:
		for i := range node {
			node[i] = strict(node[i])
		}
	case map[string]any:
		for key, value := range node {
			if strings.HasPrefix(key, "x-kubernetes-") {
				delete(node, key)
				continue
			}
			node[key] = strict(value)
		}
		if properties, ok := node["properties"].(map[string]any); ok && node["type"] == "object" && len(properties) > 0 {
			node["additionalProperties"] = false
		}
	}
	return node
}

// pathPattern and the counts below are the rules that the schema states in CEL.
var pathPattern = regexp.MustCompile("^(?:[-A-Za-z0-9/._~!$&'()*+,;=:@]|[%][0-9a-fA-F]{2})+$")

// checkObjects checks an export against the schema and the rules beside it, and that
// its YAML says what its JSON says.
func checkObjects(t interface {
	Fatalf(string, ...any)
}, schema *jsonschema.Schema, result *gateway.Result,
) {
	names := map[string]bool{}
	documents := strings.Split(result.YAML(), "\n---\n")[1:]
	if len(documents) != len(result.Routes) {
		t.Fatalf("%d documents, %d routes", len(documents), len(result.Routes))
	}
	for i, r := range result.Routes {
		text, err := json.Marshal(r)
		if err != nil {
			t.Fatalf("%v", err)
		}
		var fromJSON, fromYAML any
		if err := json.Unmarshal(text, &fromJSON); err != nil {
			t.Fatalf("%v", err)
		}
		if err := schema.Validate(fromJSON); err != nil {
			t.Fatalf("%v\n%s", err, r.YAML())
		}
		asJSON, err := yaml.YAMLToJSON([]byte(documents[i]))
		if err != nil || json.Unmarshal(asJSON, &fromYAML) != nil {
			t.Fatalf("%v\n%s", err, documents[i])
		}
		if diff := cmp.Diff(fromJSON, fromYAML); diff != "" {
			t.Fatalf("the YAML says something else: %s\n%s", diff, documents[i])
		}
		checkRules(t, r)
		if names[r.Metadata.Name] {
			t.Fatalf("two are named %s", r.Metadata.Name)
		}
		names[r.Metadata.Name] = true
	}
}

func checkRules(t interface {
	Fatalf(string, ...any)
}, r *gateway.HTTPRoute,
) {
	matches := 0
	for _, rule := range r.Spec.Rules {
		matches += len(rule.Matches)
		for _, m := range rule.Matches {
			path := m.Path.Value
			if m.Path.Type == "RegularExpression" {
				if _, err := regexp.Compile(path); err != nil {
					t.Fatalf("%v", err)
				}
				continue
			}
			if !pathPattern.MatchString(path) || !strings.HasPrefix(path, "/") || strings.Contains(path, "//") || strings.Contains(strings.ToLower(path), "%2f") {
				t.Fatalf("path %q", path)
			}
		}
		for _, f := range rule.Filters {
			if f.Mirror.Percent != nil && f.Mirror.Fraction != nil {
				t.Fatalf("a mirror with percent and fraction")
			}
		}
	}
	if matches >= 128 {
		t.Fatalf("%d matches in %s", matches, r.Metadata.Name)
	}
}

func mustSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	s, err := schema()
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("the schema of HTTPRoute: %v", err)
		}
		t.Skipf("the schema of HTTPRoute cannot be had here: %v", err)
	}
	return s
}

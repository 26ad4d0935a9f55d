package config

import (
	"strings"

	"github.com/stranglerfig/toolkit/strangler-proxy/route"
)

// Schema is the JSON Schema (draft-07) of the file, for editors, made from the lists
// that the checker uses. Whatever the checker accepts, it accepts; what only the whole
// file can tell, such as a route to an unknown service, is left to the checker.
func Schema() map[string]any {
	definitions := map[string]any{}
	for _, s := range Sections() {
		definitions[s.definition()] = s.schema()
	}
	return map[string]any{
		"$schema":     "http://json-schema.org/draft-07/schema#",
		"title":       "strangler.yaml",
		"allOf":       []any{reference(topSection)},
		"definitions": definitions,
	}
}

func (s Section) definition() string {
	if s.Path == "" {
		return "file"
	}
	return s.Path
}

func reference(s Section) map[string]any {
	return map[string]any{"$ref": "#/definitions/" + s.definition()}
}

func (s Section) schema() map[string]any {
	properties, required := map[string]any{}, []any{}
	for _, k := range s.Keys {
		path := k.Name
		if s.Path != "" {
			path = s.Path + "." + k.Name
		}
		value := map[string]any{"description": k.Doc, "allOf": []any{valueSchema(k.Type, path)}}
		properties[k.Name] = value
		if k.Required {
			required = append(required, k.Name)
		}
	}
	schema := map[string]any{"type": "object", "properties": properties, "additionalProperties": false, "description": s.Doc}
	if len(required) > 0 {
		schema["required"] = required
	}
	return schema
}

// valueSchema reads the words by which a Key describes its value. A type that it does
// not know may be anything.
func valueSchema(words, path string) map[string]any {
	if of, ok := strings.CutPrefix(words, "mapping of "); ok {
		return mappingSchema(of, path)
	}
	alternatives := strings.Split(words, " or ")
	if len(alternatives) == 1 {
		return oneSchema(words, path)
	}
	var choices []any
	for _, word := range alternatives {
		choices = append(choices, oneSchema(word, path))
	}
	return map[string]any{"anyOf": choices}
}

// mappingSchema is a mapping from names. One whose values have keys of their own may
// be left empty.
func mappingSchema(of, path string) map[string]any {
	schema := map[string]any{"type": "object", "additionalProperties": valueSchema(of, path+".NAME")}
	if !strings.HasSuffix(of, "mapping") {
		return schema
	}
	schema["propertyNames"] = map[string]any{"pattern": validName.String()}
	return map[string]any{"anyOf": []any{schema, map[string]any{"type": "null"}, map[string]any{"type": "array", "maxItems": 0}}}
}

func oneSchema(word, path string) map[string]any {
	if of, ok := strings.CutPrefix(word, "list of "); ok {
		list := map[string]any{"type": "array", "items": oneSchema(strings.TrimSuffix(of, "s"), path)}
		if of == "test" {
			return map[string]any{"anyOf": []any{list, map[string]any{"type": "null"}}}
		}
		list["minItems"] = 1
		return list
	}
	switch word {
	case "mapping":
		for _, s := range Sections() {
			if s.Path == path || s.Path == promoteSection.Path && path == groupSection.Path+".promote" {
				return reference(s)
			}
		}
	case "list":
		return map[string]any{"type": "array", "items": map[string]any{"type": []any{"string", "integer"}}}
	case "version":
		return map[string]any{"const": 1}
	case "number", "boolean":
		return map[string]any{"type": word}
	case "none", "live", "auto":
		return map[string]any{"type": "string", "pattern": `^` + word + `$|\$\{`}
	case "share", "limit":
		return map[string]any{"type": []any{"string", "number"}}
	case "off":
		return map[string]any{"enum": []any{"off", "false", false}}
	}
	pattern, known := patternOf(word)
	if !known {
		return map[string]any{}
	}
	return map[string]any{"type": "string", "pattern": pattern}
}

// patternOf is what texts of a type look like. Any of them may hold a variable.
func patternOf(word string) (pattern string, known bool) {
	switch word {
	case "text", "service":
		pattern = `\S`
	case "name", "route":
		pattern = `^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`
	case "key":
		pattern = `^(header:|cookie:|auto-cookie$)`
	case "cidr":
		pattern = `^[0-9a-fA-F.:]+(/[0-9]+)?$`
	case "variable":
		pattern = `^\$\{[A-Za-z_][A-Za-z0-9_]*(:\?[^}]*)?\}$`
	case "address":
		pattern = `:[0-9+]+$`
	case "duration":
		pattern = `^[-+]?(0|(([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+)$`
	case "days":
		pattern = `^([0-9]{1,5}d|[-+]?(0|(([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+))$`
	case "size":
		pattern = sizePattern
	case "percentage":
		pattern = `%`
	case "path":
		pattern = `^\s*/`
	case "match":
		pattern = `^\s*([A-Z_-]+\s+)?/\S*\s*$`
	case "url":
		pattern = `^[Hh][Tt][Tt][Pp][Ss]?://.`
	case "test":
		pattern = `^\s*\S+\s+/.*->`
	case "stage":
		pattern = `^(` + strings.Join(route.StageWords(), "|") + `)$`
		pattern = strings.Replace(pattern, "canary", `canary (0*100(\.0{1,2})?|0*[0-9]{1,2}(\.[0-9]{1,2})?)%`, 1)
	default:
		return "", false
	}
	return pattern + `|\$\{`, true
}

package compare

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
)

// leavesOf returns the path of each scalar of a JSON body: names and indexes. A body that is
// no JSON has none.
func leavesOf(body []byte) (paths [][]string) {
	root, ok := decodeJSON(body)
	if !ok {
		return nil
	}
	var walk func(v any, path []string)
	walk = func(v any, path []string) {
		switch v := v.(type) {
		case map[string]any:
			for _, name := range sortedKeys(v) {
				walk(v[name], append(path[:len(path):len(path)], name))
			}
		case []any:
			for i := range v {
				walk(v[i], append(path[:len(path):len(path)], strconv.Itoa(i)))
			}
		default:
			if len(path) > 0 {
				paths = append(paths, path)
			}
		}
	}
	walk(root, nil)
	return paths
}

func decodeJSON(body []byte) (root any, ok bool) {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	if dec.Decode(&root) != nil || dec.More() {
		return nil, false
	}
	return root, true
}

// mutate returns the body with the value at path changed, and the class of the place.
func mutate(body []byte, path []string, change func(v any) (any, bool)) (changed []byte, class string, ok bool) {
	root, _ := decodeJSON(body)
	at := root
	for _, name := range path[:len(path)-1] {
		switch v := at.(type) {
		case map[string]any:
			at = v[name]
			class += "/" + name
		case []any:
			i, _ := strconv.Atoi(name)
			at = v[i]
			class += "/*"
		}
	}
	last := path[len(path)-1]
	switch v := at.(type) {
	case map[string]any:
		class += "/" + last
		value, ok := change(v[last])
		if !ok {
			return nil, class, false
		}
		if v[last] = value; value == (dropped{}) {
			delete(v, last)
		}
	case []any:
		class += "/*"
		i, _ := strconv.Atoi(last)
		value, ok := change(v[i])
		if _, drop := value.(dropped); !ok || drop {
			return nil, class, false
		}
		v[i] = value
	}
	changed, err := json.Marshal(root)
	return changed, class, err == nil
}

func sortedKeys(m map[string]any) []string { return slices.Sorted(maps.Keys(m)) }

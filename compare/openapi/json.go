package openapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/stranglerfig/toolkit/internal/yamldoc"
)

// maxDepth of nested JSON.
const maxDepth = 200

// readJSON reads JSON, which files of any size are written in, into the tree that YAML
// becomes. Its nodes do not know where they stand.
func readJSON(name string, source []byte) (*yamldoc.Document, error) {
	dec := json.NewDecoder(bytes.NewReader(source))
	dec.UseNumber()
	root, err := jsonNode(dec, 0)
	if err == nil {
		if _, end := dec.Token(); !errors.Is(end, io.EOF) {
			err = errors.New("something follows the document")
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%s: near byte %d: %w", name, dec.InputOffset(), err)
	}
	return &yamldoc.Document{Name: name, Root: root}, nil
}

func jsonNode(dec *json.Decoder, depth int) (*yamldoc.Node, error) {
	if depth > maxDepth {
		return nil, errors.New("nested too deeply")
	}
	token, err := dec.Token()
	if err != nil {
		return nil, err
	}
	delimiter, nested := token.(json.Delim)
	if !nested {
		if token == nil {
			return &yamldoc.Node{}, nil
		}
		return &yamldoc.Node{Kind: yamldoc.String, Text: fmt.Sprint(token)}, nil
	}
	n := &yamldoc.Node{Kind: yamldoc.List}
	if delimiter == '{' {
		n.Kind = yamldoc.Map
	}
	for dec.More() {
		var key json.Token
		if n.Kind == yamldoc.Map {
			if key, err = dec.Token(); err != nil {
				return nil, err
			}
		}
		value, err := jsonNode(dec, depth+1)
		if err != nil {
			return nil, err
		}
		if n.Kind == yamldoc.Map {
			n.Entries = append(n.Entries, yamldoc.Entry{Key: key.(string), Value: value})
		} else {
			n.Items = append(n.Items, value)
		}
	}
	_, err = dec.Token()
	return n, err
}

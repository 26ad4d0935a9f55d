package record

import (
	"bytes"
	"net/url"
	"regexp"
	"strings"

	"github.com/stranglerfig/toolkit/compare/differ"
)

// hideQuery hides the values of secret parameters of a path.
func hideQuery(redact *differ.Redactor, path string) string {
	path, query, found := strings.Cut(path, "?")
	if !found {
		return path
	}
	return path + "?" + hideForm(redact, query)
}

// hideForm hides values in a=1&b=2, and keeps all else as it is written.
func hideForm(redact *differ.Redactor, form string) string {
	fields := strings.Split(form, "&")
	for i, f := range fields {
		name, value, found := strings.Cut(f, "=")
		plain, err := url.QueryUnescape(name)
		if !found || value == "" || err != nil {
			continue
		}
		text, err := url.QueryUnescape(value)
		if err != nil {
			text = value
		}
		hidden := redact.Text(text)
		if redact.Secret(plain) {
			hidden = redact.Hash(text)
		}
		if hidden != text {
			fields[i] = name + "=" + url.QueryEscape(hidden)
		}
	}
	return strings.Join(fields, "&")
}

var (
	partName  = regexp.MustCompile(`(?i)content-disposition:[^\r\n]*\bname="([^"]*)"`)
	inputTag  = regexp.MustCompile(`(?i)<(?:input|meta)\b[^>]*>`)
	inputName = regexp.MustCompile(`(?i)\bname\s*=\s*["']?([^"'\s>]+)`)
	inputText = regexp.MustCompile(`(?i)(\b(?:value|content)\s*=\s*)("[^"]*"|'[^']*'|[^\s>]+)`)
)

// hideMultipart hides the parts of a form whose names say that they are secrets.
func hideMultipart(redact *differ.Redactor, kind string, body []byte) []byte {
	_, boundary, found := strings.Cut(kind, "boundary=")
	if !found {
		return redact.Body(body)
	}
	boundary, _, _ = strings.Cut(boundary, ";")
	i := bytes.Index(bytes.ToLower(body), []byte("--"+strings.Trim(boundary, `" `)))
	if i != 0 {
		return redact.Body(body)
	}
	mark := body[:len(strings.Trim(boundary, `" `))+2]
	parts := bytes.Split(body, mark)
	for i, p := range parts {
		head, rest, found := bytes.Cut(p, []byte("\r\n\r\n"))
		name := partName.FindSubmatch(head)
		if found && name != nil && redact.Secret(string(name[1])) {
			parts[i] = []byte(string(head) + "\r\n\r\n" + redact.Hash(strings.TrimSuffix(string(rest), "\r\n")) + "\r\n")
		}
	}
	return redact.Body(bytes.Join(parts, mark))
}

// hideInputs hides the values of form fields in a page whose names say that they are secrets.
func hideInputs(redact *differ.Redactor, page []byte) []byte {
	return inputTag.ReplaceAllFunc(page, func(tag []byte) []byte {
		name := inputName.FindSubmatch(tag)
		if name == nil || !redact.Secret(string(name[1])) {
			return tag
		}
		return inputText.ReplaceAllFunc(tag, func(attribute []byte) []byte {
			m := inputText.FindSubmatch(attribute)
			value := strings.Trim(string(m[2]), `"'`)
			if value == "" {
				return attribute
			}
			return []byte(string(m[1]) + `"` + redact.Hash(value) + `"`)
		})
	})
}

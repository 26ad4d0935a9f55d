package admin

import (
	"cmp"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/stranglerfig/toolkit/internal/program"
	"github.com/stranglerfig/toolkit/internal/yamldoc"
	"github.com/stranglerfig/toolkit/strangler-proxy/audit"
	"github.com/stranglerfig/toolkit/strangler-proxy/config"
	"github.com/stranglerfig/toolkit/strangler-proxy/route"
	"github.com/stranglerfig/toolkit/strangler-proxy/steer"
)

// A problem is the answer to a request that was not done. It travels under "error".
type problem struct {
	Status     int               `json:"-"`
	Code       string            `json:"code"` // one word
	Message    string            `json:"message"`
	Remedy     string            `json:"remedy,omitempty"`
	Objections []route.Objection `json:"objections,omitempty"` // of code refused
	Patch      string            `json:"patch,omitempty"`      // of code read_only: what to change where the file can be
}

func (p *problem) Error() string { return p.Message }

func fail(w http.ResponseWriter, err error) {
	p := problemOf(err)
	answer(w, p.Status, map[string]any{"error": p})
}

// problemOf turns an error into an answer: the one switch of this package.
func problemOf(err error) *problem {
	var (
		p        *problem
		stale    *config.StaleError
		readOnly *config.ReadOnlyError
		refused  *steer.RefusedError
		bad      *yamldoc.ProblemsError
		unknown  *config.UnknownRouteError
		explain  *program.Error
	)
	if p := cmp.Or(holdProblem(err), splitProblem(err)); p != nil {
		return p
	}
	message, remedy := err.Error(), ""
	if errors.As(err, &explain) {
		message, remedy = explain.Err.Error(), explain.Remedy
	}
	switch {
	case errors.As(err, &p):
		return p
	case errors.As(err, &stale):
		return &problem{http.StatusPreconditionFailed, "stale", message, remedy, nil, ""}
	case errors.As(err, &readOnly):
		return &problem{http.StatusConflict, "read_only", message, remedy, nil, readOnly.Patch}
	case errors.As(err, &refused):
		return &problem{http.StatusConflict, "refused", message, `send "force": true and a reason to overrule it`, refused.Objections, ""}
	case errors.As(err, &bad):
		return &problem{http.StatusConflict, "bad_file", "the file is bad: " + bad.OneLine(0), "mend it first", nil, ""}
	case errors.Is(err, yamldoc.ErrChanged):
		return &problem{http.StatusConflict, "changed", message, "try again", nil, ""}
	case errors.As(err, &unknown):
		return &problem{http.StatusNotFound, "not_found", message, remedy, nil, ""}
	case errors.Is(err, audit.ErrUnavailable):
		return &problem{http.StatusServiceUnavailable, "no_audit_log", "nothing was changed: the audit log cannot be written", remedy, nil, ""}
	case explain != nil && explain.Code == program.Refused:
		return &problem{http.StatusConflict, "refused", message, remedy, nil, ""}
	case explain != nil && explain.Code == program.Usage:
		return &problem{http.StatusUnprocessableEntity, "invalid", message, remedy, nil, ""}
	}
	return &problem{http.StatusInternalServerError, "internal", "nothing was changed: the proxy's log says why", "", nil, ""}
}

// decode reads a request's body of at most 16 KiB into v: JSON and nothing else. An
// empty body is an empty object where that is enough.
func decode(w http.ResponseWriter, r *http.Request, v any, mayBeEmpty bool) error {
	if !isJSON(r) {
		return &problem{Status: http.StatusUnsupportedMediaType, Code: "not_json", Message: "the body must be JSON", Remedy: "send Content-Type: application/json"}
	}
	body, err := readAll(w, r)
	if err != nil {
		return err
	}
	if len(body) == 0 && mayBeEmpty {
		return nil
	}
	return decodeStrictly(body, v)
}

func isJSON(r *http.Request) bool {
	values := r.Header.Values("Content-Type")
	if len(values) == 0 {
		return r.ContentLength == 0 && len(r.TransferEncoding) == 0
	}
	return len(values) == 1 && mediaType(values[0]) == "application/json"
}

func invalidJSON(err error) error {
	message := "the body is not the JSON that is expected here"
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		message = "the body is not JSON: " + syntax.Error()
	case errors.As(err, &kind):
		message = "the value of " + kind.Field + " must not be a " + kind.Value
	case err != nil:
		message += ": " + err.Error()
	}
	return &problem{Status: http.StatusBadRequest, Code: "bad_json", Message: message}
}

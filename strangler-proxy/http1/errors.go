package http1

import (
	"fmt"
	"net/http"
)

// An Error says why a message is refused. The connection it came on cannot be used
// any more: where the next message begins is unknown.
type Error struct {
	Reason   Reason
	Offset   int64 // of the byte that was refused, from the front of the buffer or body
	Response bool  // it came from an upstream
}

// Error says what is wrong and where.
func (e *Error) Error() string {
	what := "request"
	if e.Response {
		what = "response"
	}
	return fmt.Sprintf("%s: byte %d: %s", what, e.Offset, e.Reason.text())
}

// Status is the status with which a client is told: what the reason says for its own
// request, 502 for an upstream's response.
func (e *Error) Status() int {
	if e.Response {
		return http.StatusBadGateway
	}
	return reasons[e.Reason].status
}

// A Reason is one way of not being acceptable HTTP/1.1.
type Reason uint8

// Why messages are refused.
const (
	_ Reason = iota
	BadLineEnd
	BadMethod
	LongMethod
	ConnectMethod
	BadTarget
	AsteriskForm
	AuthorityForm
	BadAuthority
	LongTarget
	BadVersion
	UnknownVersion
	BadStatusLine
	FoldedLine
	BadFieldName
	BadFieldValue
	LargeHeader
	ManyFields
	ManyOptions
	NoHost
	RepeatedHost
	BadHost
	DifferentHost
	BadLength
	RepeatedLength
	UnknownCoding
	RepeatedCoding
	LengthAndCoding
	CodingInHTTP10
	BadConnection
	UnknownExpectation
	BadTrailer
	InterimBody
	UnknownUpgrade
	BadChunkSize
	LargeChunk
	BadExtension
	LongExtension
	BadChunkEnd
	Truncated
	reasonCount
)

// String is one word for metrics and logs.
func (r Reason) String() string {
	if r == 0 || r >= reasonCount {
		return "none"
	}
	return reasons[r].word
}

func (r Reason) text() string {
	if r == 0 || r >= reasonCount {
		return "nothing is wrong"
	}
	return reasons[r].text
}

var reasons = [reasonCount]struct {
	status     int
	word, text string
}{
	BadLineEnd:         {400, "bad_line_end", "a line must end in CR LF, and neither may stand elsewhere"},
	BadMethod:          {400, "bad_method", "the method is not a token"},
	LongMethod:         {501, "long_method", "the method is longer than 64 bytes"},
	ConnectMethod:      {405, "connect", "CONNECT is not served here"},
	BadTarget:          {400, "bad_target", "the request target holds a byte that must be encoded, or a % without two hex digits"},
	AsteriskForm:       {400, "asterisk", "a request for * is not served here"},
	AuthorityForm:      {400, "authority", "the request target must begin with / or be an http URL"},
	BadAuthority:       {400, "bad_authority", "the request target's host is not a host name or address with an optional port"},
	LongTarget:         {414, "url_too_long", "the request target is too long"},
	BadVersion:         {400, "bad_version", "the request line must end in a space and HTTP/1.1"},
	UnknownVersion:     {505, "unknown_version", "only HTTP/1.1 and HTTP/1.0 are spoken here"},
	BadStatusLine:      {400, "bad_status_line", "the status line must be HTTP/1.1, a space, three digits and a reason"},
	FoldedLine:         {400, "folded_line", "a field line must not begin with white space"},
	BadFieldName:       {400, "bad_field_name", "a field name must be a token with a colon right behind it"},
	BadFieldValue:      {400, "bad_field_value", "a field value holds a control byte"},
	LargeHeader:        {431, "header_too_large", "the header is too large"},
	ManyFields:         {431, "many_fields", "the header has too many fields"},
	ManyOptions:        {431, "many_options", "Connection names too many options"},
	NoHost:             {400, "no_host", "the Host field is missing"},
	RepeatedHost:       {400, "repeated_host", "there is more than one Host field"},
	BadHost:            {400, "bad_host", "the Host field is not a host name or address with an optional port"},
	DifferentHost:      {400, "different_host", "the Host field names another host than the request target"},
	BadLength:          {400, "bad_length", "Content-Length must be a number of at most 18 digits without sign or leading zeros"},
	RepeatedLength:     {400, "repeated_length", "there is more than one Content-Length field"},
	UnknownCoding:      {501, "unknown_coding", "the only transfer coding spoken here is chunked"},
	RepeatedCoding:     {400, "repeated_coding", "there is more than one Transfer-Encoding field"},
	LengthAndCoding:    {400, "length_and_coding", "Content-Length and Transfer-Encoding contradict each other"},
	CodingInHTTP10:     {400, "coding_in_http10", "HTTP/1.0 has no Transfer-Encoding"},
	BadConnection:      {400, "bad_connection", "Connection must be a list of tokens"},
	UnknownExpectation: {417, "unknown_expectation", "the only expectation served here is 100-continue"},
	BadTrailer:         {400, "bad_trailer", "Trailer must not name fields that frame the message"},
	InterimBody:        {400, "interim_body", "an interim response has no body"},
	UnknownUpgrade:     {400, "unknown_upgrade", "the only upgrade spoken here is websocket"},
	BadChunkSize:       {400, "bad_chunk_size", "a chunk must begin with its size in hex digits"},
	LargeChunk:         {400, "large_chunk", "a chunk's size is too large or has more than 16 digits"},
	BadExtension:       {400, "bad_extension", "a chunk's extension holds a control byte"},
	LongExtension:      {400, "long_extension", "the chunks' extensions are too long"},
	BadChunkEnd:        {400, "bad_chunk_end", "a chunk must end in CR LF after as many bytes as its size says"},
	Truncated:          {400, "truncated", "the message ends before it is complete"},
}

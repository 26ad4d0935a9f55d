package storefront

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/stranglerfig/toolkit/internal/web"
	"github.com/stranglerfig/toolkit/monolith/identity"
)

// readForm reads the body of a form post, at most web.MaxBody long. Its texts become
// valid UTF-8, as those in JSON do.
func readForm(w http.ResponseWriter, r *http.Request) error {
	r.Body = http.MaxBytesReader(w, r.Body, web.MaxBody)
	err := r.ParseForm()
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return web.Problemf(http.StatusRequestEntityTooLarge, "body_too_large", "the form is larger than %d bytes", web.MaxBody)
	case err != nil:
		return web.Problemf(http.StatusBadRequest, "bad_request", "the form cannot be read")
	}
	for _, values := range r.PostForm {
		for i, text := range values {
			values[i] = strings.ToValidUTF8(text, replacement)
		}
	}
	return nil
}

// replacement stands for bytes that are no UTF-8.
const replacement = "\uFFFD"

// number reads a whole number from a form.
func number(form url.Values, name string) (int64, error) {
	n, err := strconv.ParseInt(strings.TrimSpace(form.Get(name)), 10, 32)
	if err != nil {
		return 0, web.Invalid(web.Field{Name: name, Message: "must be a whole number"})
	}
	return n, nil
}

func addressFrom(form url.Values) identity.Address {
	return identity.Address{
		Name: form.Get("name"), Street: form.Get("street"), City: form.Get("city"),
		PostalCode: form.Get("postal_code"), Region: form.Get("region"), Country: form.Get("country"),
	}
}

// cardDigits drops what people put between the digits of a card number.
func cardDigits(form url.Values) string {
	return strings.NewReplacer(" ", "", "-", "").Replace(form.Get("card_number"))
}

// A pageLink leads to one page of a list; a gap stands for several.
type pageLink struct {
	Number  int
	Link    string
	Current bool
	Gap     bool
}

// pageLinks lead to the first, the last and the neighbouring pages.
func pageLinks(address string, query url.Values, page, pages int) []pageLink {
	var links []pageLink
	for n := 1; n <= pages; n++ {
		if n != 1 && n != pages && (n < page-2 || n > page+2) {
			if !links[len(links)-1].Gap {
				links = append(links, pageLink{Gap: true})
			}
			continue
		}
		text := ""
		if n > 1 {
			text = strconv.Itoa(n)
		}
		links = append(links, pageLink{Number: n, Link: link(address, query, "page", text), Current: n == page})
	}
	return links
}

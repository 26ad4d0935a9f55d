package web

import "net/http"

// Paging is the page a client asks for: Page counts from 1.
type Paging struct {
	Page    int
	PerPage int
}

// PagingOf reads page (1–10000) and per_page (1–100) from the query; perPage is
// the size of a page when the client does not say.
func PagingOf(r *http.Request, perPage int) (Paging, error) {
	page, err := Int(r, "page", 1, 1, 10_000)
	if err != nil {
		return Paging{}, err
	}
	size, err := Int(r, "per_page", perPage, 1, 100)
	if err != nil {
		return Paging{}, err
	}
	return Paging{page, size}, nil
}

// Offset is the number of rows before the page.
func (p Paging) Offset() int { return (p.Page - 1) * p.PerPage }

// A Page is one page of a list.
type Page[T any] struct {
	Items   []T `json:"items"`
	Page    int `json:"page"`
	PerPage int `json:"per_page"`
	Pages   int `json:"pages"`
	Total   int `json:"total"`
}

// NewPage returns the page with items, never null, out of total rows.
func NewPage[T any](p Paging, items []T, total int) Page[T] {
	return Page[T]{
		Items: NonNil(items), Page: p.Page, PerPage: p.PerPage,
		Pages: (total + p.PerPage - 1) / p.PerPage, Total: total,
	}
}

// A List is a whole list, which is never null.
type List[T any] struct {
	Items []T `json:"items"`
}

// NewList returns the list of items.
func NewList[T any](items []T) List[T] { return List[T]{NonNil(items)} }

// NonNil returns items, or an empty slice for nil, so that JSON shows [].
func NonNil[T any](items []T) []T {
	if items == nil {
		return []T{}
	}
	return items
}

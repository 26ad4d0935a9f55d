package follow

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
)

// A Change is a row of the monolith's feed: what was done to which thing. What the thing
// is like now has to be asked.
type Change struct {
	ID       int64  `json:"id"`
	Action   string `json:"action"`
	Entity   string `json:"entity"`
	EntityID string `json:"entity_id"`
}

// ChangesPage is a part of the feed. Last is the newest change that there is.
type ChangesPage struct {
	Items []Change `json:"items"`
	Last  int64    `json:"last"`
}

// Changes returns up to limit changes behind the one with the number after.
func (s *Source) Changes(ctx context.Context, after int64, limit int) (ChangesPage, error) {
	var page ChangesPage
	_, err := s.Get(ctx, "/internal/changes", url.Values{"after": {strconv.FormatInt(after, 10)}, "limit": {strconv.Itoa(limit)}}, &page)
	return page, err
}

// Sort adds the ids of things to the set of their kind; what has none is left out.
func Sort(changes []Change, sets map[string]IDs) error {
	for _, c := range changes {
		ids, ok := sets[c.Entity]
		if !ok {
			continue
		}
		id, err := strconv.ParseInt(c.EntityID, 10, 64)
		if err != nil {
			return fmt.Errorf("change %d: %s id %q: %w", c.ID, c.Entity, c.EntityID, err)
		}
		ids[id] = true
	}
	return nil
}

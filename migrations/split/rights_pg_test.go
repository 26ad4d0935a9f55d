package split_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/stranglerfig/toolkit/migrations/split/testkit"
)

// Every right that the engine's role lacks is named before anything is changed, and what the
// remedy grants is enough for a whole life of the split without a superuser.
func TestMissingRightsAreNamed(t *testing.T) {
	t.Parallel()
	source, target := testkit.PostgreSQL(t), testkit.PostgreSQL(t)
	role := "engine_" + strings.TrimPrefix(parsed(t, source.DSN).Path, "/")
	source.Exec(`CREATE ROLE `+role+` LOGIN`, `CREATE ROLE `+role+`_owner`, `GRANT CREATE ON SCHEMA public TO `+role+`_owner`,
		`CREATE TABLE users (id int PRIMARY KEY)`, `CREATE TABLE t (id int PRIMARY KEY, u int REFERENCES users ON DELETE CASCADE)`,
		`ALTER TABLE t OWNER TO `+role+`_owner`, `GRANT SELECT, TRIGGER ON t, users TO `+role, `INSERT INTO users VALUES (1), (2)`, `INSERT INTO t VALUES (1, 1), (2, 2)`)
	as := func(p *testkit.Place) *testkit.Place {
		u := parsed(t, p.DSN)
		q := u.Query()
		q.Set("user", role)
		u.User, u.RawQuery = url.User(role), q.Encode()
		return &testkit.Place{Driver: p.Driver, DSN: u.String()}
	}
	s := pairPlan(t, as(source), as(target), "tables: [t]\ncreate_target: true\nloose_keys: [{ from: t.u, to: users.id, on_delete: delete }]\n")
	refused := func(wants ...string) {
		t.Helper()
		ok, words := s.do("run", "", 0)
		for _, want := range wants {
			if ok || !strings.Contains(strings.ReplaceAll(words, `\"`, `"`), want) {
				t.Errorf("not refused with %s: %s", want, words)
			}
		}
	}
	refused(`GRANT SET ON PARAMETER session_replication_role TO`)
	source.Exec(`GRANT SET ON PARAMETER session_replication_role TO ` + role)
	refused(`on "public"."t", which only its owner may`, `GRANT `+role+`_owner TO "`+role+`"`, `on public.users, which only its owner may`, `GRANT CREATE ON SCHEMA "public" TO "`+role+`"`)
	source.Exec(`ALTER TABLE users OWNER TO `+role+`_owner`, `GRANT `+role+`_owner TO `+role, `GRANT CREATE ON SCHEMA public TO `+role)
	target.Exec(`GRANT CREATE ON SCHEMA public TO ` + role)
	for _, command := range []string{"run", "cutover", "rollback", "cutover"} {
		s.must(command)
	}
	source.Exec(`DELETE FROM users WHERE id = 1`)
	s.must("run")
	if have := target.Ask(`SELECT string_agg(id::text, ' ') FROM t`); have != "2" {
		t.Errorf("the target holds %s", have)
	}
	s.must("complete")
}

func parsed(t *testing.T, dsn string) *url.URL {
	t.Helper()
	u, err := url.Parse(dsn)
	testkit.Check(t, err)
	return u
}

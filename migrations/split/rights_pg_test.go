package split_test

import (
	"net/url"
	"os"
	"path/filepath"
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
	name := func(p *testkit.Place) string { return strings.TrimPrefix(parsed(t, p.DSN).Path, "/") }
	source.Exec(`CREATE ROLE `+role+` LOGIN`, `CREATE ROLE `+role+`_owner`, `GRANT CREATE ON SCHEMA public TO `+role+`_owner`,
		`CREATE SCHEMA stays`, `CREATE SCHEMA hidden`, `CREATE TABLE hidden.t (id int PRIMARY KEY)`, `CREATE SEQUENCE numbers`,
		`CREATE TABLE users (id int PRIMARY KEY)`, `CREATE TABLE t (id int DEFAULT nextval('numbers') PRIMARY KEY, u int REFERENCES users ON DELETE CASCADE, s int)`,
		`CREATE TABLE stays.visits (id int PRIMARY KEY, t int REFERENCES t)`, `CREATE TABLE shops (id int PRIMARY KEY)`,

		`ALTER TABLE t OWNER TO `+role+`_owner`, `GRANT SELECT, TRIGGER ON t, users TO `+role, `INSERT INTO users VALUES (1), (2)`, `INSERT INTO t VALUES (1, 1), (2, 2)`)
	as := func(p *testkit.Place) *testkit.Place {
		u := parsed(t, p.DSN)
		q := u.Query()
		q.Set("user", role)
		u.User, u.RawQuery = url.User(role), q.Encode()
		return &testkit.Place{Driver: p.Driver, DSN: u.String()}
	}
	s := pairPlan(t, as(source), as(target), `tables: [t, hidden.t]
create_target: true
loose_keys:
  - { from: t.u, to: users.id, on_delete: delete }
  - { from: t.s, to: shops.id, on_delete: delete }
  - { from: stays.visits.t, to: t.id, on_delete: keep }
`)
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
	refused(`table hidden.t: the role `+role+` may not see what is in the schema hidden`, `GRANT USAGE ON SCHEMA "hidden" TO "`+role+`"`)
	text, err := os.ReadFile(filepath.Join(s.dir, "plan.yaml"))
	testkit.Check(t, err)
	testkit.Check(t, os.WriteFile(filepath.Join(s.dir, "plan.yaml"), []byte(strings.Replace(string(text), ", hidden.t]", "]", 1)), 0o600))
	refused(`on "public"."t", which only its owner may`, `GRANT `+role+`_owner TO "`+role+`"`, `on "public"."users", which only its owner may`, `on "public"."shops", which only its owner may`,
		`GRANT CREATE ON SCHEMA "public" TO "`+role+`"`, `in the schema public of `+name(source), `in the schema public of `+name(target),
		`may not see what is in the schema stays`, `GRANT SELECT, UPDATE ON SEQUENCE "public"."numbers" TO "`+role+`"`)
	source.Exec(`ALTER TABLE users OWNER TO `+role+`_owner`, `ALTER TABLE shops OWNER TO `+role+`_owner`, `GRANT `+role+`_owner TO `+role, `GRANT CREATE ON SCHEMA public TO `+role,
		`GRANT USAGE ON SCHEMA stays TO `+role, `REVOKE INSERT ON t FROM `+role+`_owner`)
	refused(`may not read "stays"."visits", which refers to the tables`, `GRANT SELECT ON "stays"."visits" TO "`+role+`"`, `GRANT INSERT ON TABLE "public"."t" TO "`+role+`"`)
	source.Exec(`GRANT SELECT ON stays.visits TO `+role, `GRANT INSERT ON t TO `+role, `GRANT SELECT, UPDATE ON SEQUENCE numbers TO `+role)
	refused(`in the schema public of ` + name(target)) // nothing else
	target.Exec(`GRANT CREATE ON SCHEMA public TO ` + role)
	for _, command := range []string{"run", "cutover", "rollback", "cutover"} {
		s.must(command)
	}
	source.Exec(`DELETE FROM users WHERE id = 1`)
	s.must("run")
	if have := target.Ask(`SELECT string_agg(id::text, ' ') FROM t`); have != "2" {
		t.Errorf("the target holds %s", have)
	}
	source.Exec(`DROP TABLE stays.visits`)
	s.must("complete")
}

func parsed(t *testing.T, dsn string) *url.URL {
	t.Helper()
	u, err := url.Parse(dsn)
	testkit.Check(t, err)
	return u
}

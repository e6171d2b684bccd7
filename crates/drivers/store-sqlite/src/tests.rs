//! What only this driver promises: plans without full scans, the schema as written, the cache's truth.

use std::collections::BTreeSet;

use rusqlite::{Connection, params_from_iter};
use stoa_store::{Order, Query, SortBy, TimeRange};
use stoa_types::{AccountId, Timestamp};

use crate::cache::Cache;
use crate::plan::{self, after_prefix};
use crate::schema::{self, MIGRATIONS, SchemaError, migrate};

fn migrated() -> Connection {
    let mut connection = Connection::open_in_memory().unwrap();
    migrate(&mut connection).unwrap();
    connection
}

fn tables(connection: &Connection) -> String {
    let sql = "SELECT sql || ';' FROM sqlite_schema WHERE sql IS NOT NULL AND name <> 'sqlite_sequence' ORDER BY name";
    let mut statement = connection.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
    rows.map(Result::unwrap).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_written_schema_is_all_migrations_applied() {
    let fresh = Connection::open_in_memory().unwrap();
    fresh.execute_batch(include_str!("schema.sql")).unwrap();
    assert_eq!(tables(&fresh), tables(&migrated()));
}

#[test]
fn migrations_apply_once_and_later_versions_are_refused() {
    let mut connection = migrated();
    migrate(&mut connection).unwrap();
    let applied: i64 = connection.query_row("SELECT count(*) FROM schema_version", [], |row| row.get(0)).unwrap();
    assert_eq!(applied, MIGRATIONS.len() as i64);
    connection.execute("INSERT INTO schema_version VALUES (999)", []).unwrap();
    assert!(matches!(migrate(&mut connection), Err(SchemaError::TooNew(999))));
    connection.pragma_update(None, "application_id", schema::APPLICATION_ID + 1).unwrap();
    assert!(matches!(migrate(&mut connection), Err(SchemaError::Foreign)));
}

/// Every combination of owner, parent, name filter, statuses, sort, order and position.
fn shapes() -> Vec<Query> {
    let all = Query::of("test:thing");
    let account: AccountId = "000000000001".parse().unwrap();
    let region = "us-west-2".parse().unwrap();
    let owners =
        [all.clone(), Query { account: Some(account.clone()), ..all.clone() }, all.owned_by(&account, Some(&region))];
    let mut shapes = Vec::new();
    for owner in owners {
        for owner in [owner.clone(), owner.children_of("p")] {
            for sort_by in [SortBy::Name, SortBy::Created, SortBy::Modified, SortBy::Status] {
                for order in [Order::Ascending, Order::Descending] {
                    let base = Query { sort_by, order, ..owner.clone() };
                    let time = matches!(sort_by, SortBy::Created | SortBy::Modified);
                    let start = if time { "7" } else { "\"a\"" };
                    let after = Some(format!("[{start},\"000000000001\",\"us-west-2\",\"id\"]"));
                    shapes.push(Query { after, ..base.clone() });
                    shapes.push(Query { name: Some("n".to_owned()), ..base.clone() });
                    shapes.push(Query { name_prefix: Some("n".to_owned()), ..base.clone() });
                    shapes.push(Query { statuses: vec!["A".to_owned(), "B".to_owned()], ..base.clone() });
                    let range = TimeRange { after: Some(Timestamp::default()), before: None };
                    shapes.push(Query { created: range, modified: range, ..base.clone() });
                    shapes.push(base);
                }
            }
        }
    }
    shapes
}

fn explained(connection: &Connection, planned: plan::Planned) -> Vec<String> {
    let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {}", planned.sql)).unwrap();
    let rows = statement.query_map(params_from_iter(planned.values), |row| row.get::<_, String>(3)).unwrap();
    rows.map(Result::unwrap).collect()
}

#[test]
fn no_query_scans_the_table() {
    let connection = migrated();
    let mut plans = BTreeSet::new();
    for query in shapes() {
        for planned in [plan::page(&query).unwrap(), plan::count(&query)] {
            let steps = explained(&connection, planned);
            assert!(steps.iter().any(|step| step.starts_with("SEARCH document USING")), "{steps:?} for {query:?}");
            assert!(!steps.iter().any(|step| step.starts_with("SCAN")), "{steps:?} for {query:?}");
            plans.extend(steps);
        }
    }
    assert!(plans.len() > 7, "all indexes are in use: {plans:#?}");
}

#[test]
fn listings_come_in_the_order_of_an_index() {
    let connection = migrated();
    let name_filter = |query: &Query| query.name.is_none() && query.statuses.is_empty();
    for query in shapes().into_iter().filter(name_filter) {
        let owned = query.account.is_some();
        let sorted_for_free = match (query.parent.is_some(), query.sort_by) {
            (_, SortBy::Name) => true,
            (true, SortBy::Created) => true,
            (false, SortBy::Created | SortBy::Modified) => owned,
            (false, SortBy::Status) => !owned,
            (true, SortBy::Modified | SortBy::Status) => false,
        };
        let steps = explained(&connection, plan::page(&query).unwrap());
        let sorts = steps.iter().any(|step| step.contains("TEMP B-TREE"));
        assert_eq!(!sorts, sorted_for_free, "{steps:?} for {query:?}");
    }
}

#[test]
fn a_page_within_a_prefix_is_sought_by_its_position() {
    let connection = migrated();
    let cases = [
        (Order::Ascending, "na", "(name,account,region,id)>(?,?,?,?) AND name<?"),
        (Order::Ascending, "a", "name>? AND name<?"),
        (Order::Descending, "na", "name>? AND (name,account,region,id)<(?,?,?,?)"),
        (Order::Descending, "z", "name>? AND name<?"),
    ];
    for (order, at, bounds) in cases {
        let after = Some(format!("[\"{at}\",\"000000000001\",\"us-west-2\",\"id\"]"));
        let base = Query::of("k").children_of("p").limit(10);
        let query = Query { order, after, name_prefix: Some("n".to_owned()), ..base };
        let steps = explained(&connection, plan::page(&query).unwrap());
        assert!(steps.iter().any(|step| step.contains(bounds)), "{steps:?} for {order:?} after {at}");
    }
}

#[test]
fn a_prefix_ends_before_the_next_text() {
    assert_eq!(after_prefix("abc").as_deref(), Some("abd"));
    assert_eq!(after_prefix("a\u{10ffff}").as_deref(), Some("b"));
    assert_eq!(after_prefix("\u{d7ff}").as_deref(), Some("\u{e000}"));
    assert_eq!(after_prefix("\u{10ffff}"), None);
    assert_eq!(after_prefix(""), None);
}

#[test]
fn the_cache_drops_a_fill_that_a_write_overtook() {
    let cache: Cache<String, u32> = Cache::new(1 << 20);
    let vacancy = cache.get("key").unwrap_err();
    cache.wrote("key".to_owned(), 2, 10);
    cache.fill(vacancy, "key".to_owned(), 1, 10);
    assert_eq!(cache.get("key").unwrap(), 2, "the reader's older value is given up");
    cache.forget(&"key".to_owned());
    let vacancy = cache.get("key").unwrap_err();
    cache.fill(vacancy, "key".to_owned(), 3, 10);
    assert_eq!(cache.get("key").unwrap(), 3);
    let early = cache.get("other").unwrap_err();
    cache.forget(&"other".to_owned());
    cache.fill(early, "other".to_owned(), 4, 10);
    assert!(cache.get("other").is_err(), "a write of unknown outcome overtakes too");
}

#[test]
fn the_cache_is_bounded_and_keeps_what_is_used() {
    // Two generations in each of 64 shards, of 1,000 bytes each.
    let cache: Cache<u64, u64> = Cache::new(64 * 2 * 1000);
    for number in 0..100_000_u64 {
        cache.wrote(number, number, 100);
        assert_eq!(cache.get(&7).ok(), (number >= 7).then_some(7), "what is read all the time stays");
    }
    let kept = (0..100_000_u64).filter(|number| cache.get(number).is_ok()).count();
    assert!((64..=64 * 20).contains(&kept), "{kept} entries kept");
    cache.wrote(1, 1, 2000);
    assert!(cache.get(&1).is_err(), "what is larger than a generation is not kept");
}

//! Cases of queries: every filter, every order, pages to the end and under change.

use std::collections::BTreeSet;

use super::{Failure, START, account, region};
use crate::{Document, Expect, Key, Order, Query, SortBy, Store, TimeRange, Transaction};

const SORTS: [SortBy; 4] = [SortBy::Name, SortBy::Created, SortBy::Modified, SortBy::Status];
const ORDERS: [Order; 2] = [Order::Ascending, Order::Descending];

/// A population with many equal sort values, two accounts, two regions and none, and children of two parents.
fn population() -> Result<Vec<Document>, Failure> {
    let regions = [None, Some(region("us-west-2")?), Some(region("eu-west-1")?)];
    let mut documents = Vec::new();
    for number in 0..60_usize {
        let id = format!("id-{:02}", (number * 37) % 60);
        let region = regions.get(number % 3).cloned().flatten();
        let key = Key { kind: "test:thing", account: account(1 + (number as u64 % 2)), region, id };
        let created = START.plus_millis((number % 4) as i64);
        let name = format!("name-{}", number % 7);
        let mut document = Document::new(key, &name, created, &number)?.with_status(["A", "B", "C"][number % 3]);
        document.modified = START.plus_millis(100 - (number % 5) as i64);
        document.parent = [None, Some("p1".to_owned()), Some("p2".to_owned())][number / 2 % 3].clone();
        documents.push(document);
    }
    Ok(documents)
}

async fn fill(store: &impl Store) -> Result<Vec<Document>, Failure> {
    let documents = population()?;
    let mut transaction = Transaction::new();
    for document in &documents {
        transaction = transaction.create(document.clone());
    }
    let decoy = Key { kind: "test:thin", ..documents[0].key.clone() };
    store.commit(transaction.create(Document::new(decoy, "name-1", START, &"decoy")?)).await?;
    Ok(documents.into_iter().map(|document| Document { generation: 1, ..document }).collect())
}

/// What the query must find: sorted by its field, ties by key, all in its direction.
fn wanted(query: &Query, documents: &[Document]) -> Vec<Key> {
    let mut found: Vec<&Document> = documents.iter().filter(|document| query.matches(document)).collect();
    found.sort_by(|left, right| {
        let by_field = match query.sort_by {
            SortBy::Name => left.name.cmp(&right.name),
            SortBy::Status => left.status.cmp(&right.status),
            SortBy::Created => left.created.cmp(&right.created),
            SortBy::Modified => left.modified.cmp(&right.modified),
        };
        by_field.then_with(|| left.key.cmp(&right.key))
    });
    if query.order == Order::Descending {
        found.reverse();
    }
    found.into_iter().map(|document| document.key.clone()).collect()
}

/// All keys of a query, page by page; no page but the last is short.
async fn pages(store: &impl Store, query: &Query) -> Result<Vec<Key>, Failure> {
    let mut keys = Vec::new();
    let mut query = query.clone();
    loop {
        let page = store.query(&query).await?;
        keys.extend(page.documents.iter().map(|document| document.key.clone()));
        match page.next {
            None => return Ok(keys),
            Some(next) => {
                assert_eq!(page.documents.len(), query.limit, "only the last page is short");
                query.after = Some(next);
            }
        }
    }
}

/// The queries by every combination of owner and parent, and each further filter.
fn shapes() -> Result<Vec<Query>, Failure> {
    let all = Query::of("test:thing");
    let range =
        |after, before| TimeRange { after: Some(START.plus_millis(after)), before: Some(START.plus_millis(before)) };
    let mut shapes = vec![all.clone()];
    shapes.push(Query { account: Some(account(1)), ..all.clone() });
    shapes.push(Query { region: Some(region("us-west-2")?), ..all.clone() });
    shapes.push(all.clone().owned_by(&account(2), Some(&region("eu-west-1")?)));
    for owner in shapes.clone() {
        shapes.push(owner.clone().children_of("p1"));
        shapes.push(Query { name: Some("name-3".to_owned()), ..owner.clone() });
        shapes.push(Query { name_prefix: Some("name-".to_owned()), ..owner.clone() });
        shapes.push(Query { name_contains: Some("ME-1".to_owned()), ..owner.clone() });
        shapes.push(Query { statuses: vec!["A".to_owned(), "C".to_owned()], ..owner.clone() });
        shapes.push(Query { created: range(0, 3), ..owner.clone() });
        shapes.push(Query { modified: range(96, 100), ..owner.clone() });
        shapes.push(Query { created: range(5, 9), ..owner });
    }
    Ok(shapes)
}

pub(super) async fn filters(store: &impl Store) -> Result<(), Failure> {
    let documents = fill(store).await?;
    for shape in shapes()? {
        let wanted = wanted(&shape, &documents);
        let page = store.query(&shape).await?;
        let found: Vec<Key> = page.documents.iter().map(|document| document.key.clone()).collect();
        assert_eq!(found, wanted, "{shape:?}");
        assert_eq!(store.count(&Query { limit: 1, ..shape.clone() }).await?, wanted.len() as u64, "{shape:?}");
        for document in page.documents {
            assert!(documents.contains(&document), "whole documents come back");
        }
    }
    let empty = store.query(&Query::of("test:thing").limit(0)).await?;
    assert!(empty.documents.is_empty() && empty.next.is_none());
    Ok(())
}

pub(super) async fn names(store: &impl Store) -> Result<(), Failure> {
    let names = ["a%b", "a_b", "a\\b", "a'b", "aXb", "A%B", "ab", "a", "é", "éa", "z\u{10ffff}", "z\u{10ffff}a", "za"];
    let mut transaction = Transaction::new();
    for name in names {
        let key = Key { kind: "test:thing", account: account(1), region: None, id: name.to_owned() };
        transaction = transaction.create(Document::new(key, name, START, &())?);
    }
    store.commit(transaction).await?;
    let find = async |query: Query| -> Result<BTreeSet<String>, Failure> {
        let page = store.query(&query).await?;
        Ok(page.documents.iter().map(|document| document.name.clone()).collect())
    };
    let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    let all = Query::of("test:thing");
    for prefix in ["", "a", "a%", "a_", "a\\", "a'", "A", "é", "z\u{10ffff}", "\u{10ffff}", "none"] {
        let wanted: Vec<&str> = names.iter().copied().filter(|name| name.starts_with(prefix)).collect();
        let query = Query { name_prefix: Some(prefix.to_owned()), ..all.clone() };
        assert_eq!(find(query).await?, set(&wanted), "prefix {prefix:?}");
    }
    for (part, wanted) in [
        ("%", &["a%b", "A%B"][..]),
        ("_", &["a_b"]),
        ("\\", &["a\\b"]),
        ("A%b", &["a%b", "A%B"]),
        ("xB", &["aXb"]),
        ("", &names),
        ("none", &[]),
    ] {
        let query = Query { name_contains: Some(part.to_owned()), ..all.clone() };
        assert_eq!(find(query).await?, set(wanted), "contains {part:?}");
    }
    Ok(())
}

pub(super) async fn sorted_pages(store: &impl Store) -> Result<(), Failure> {
    let documents = fill(store).await?;
    for shape in shapes()? {
        for sort_by in SORTS {
            for order in ORDERS {
                let query = Query { sort_by, order, ..shape.clone() };
                let wanted = wanted(&query, &documents);
                for limit in [1, 7, 60, usize::MAX] {
                    let query = query.clone().limit(limit);
                    assert_eq!(pages(store, &query).await?, wanted, "{query:?}");
                }
            }
        }
    }
    Ok(())
}

/// What stands there the whole time appears once, whatever comes and goes between two pages.
pub(super) async fn pages_under_change(store: &impl Store) -> Result<(), Failure> {
    let make = |id: String| -> Result<Document, Failure> {
        let key = Key { kind: "test:thing", account: account(1), region: None, id: id.clone() };
        Ok(Document::new(key, &id, START, &())?)
    };
    for order in ORDERS {
        for number in 0..20 {
            store.commit(Transaction::new().put(make(format!("n{number:02}"))?)).await?;
        }
        let mut query = Query { order, ..Query::of("test:thing").limit(4) };
        let mut seen: Vec<String> = Vec::new();
        loop {
            let page = store.query(&query).await?;
            seen.extend(page.documents.iter().map(|document| document.name.clone()));
            let Some(last) = page.documents.last() else { break };
            // The very document the page ended with goes, and so does one behind it; others come before and after.
            let gone = Transaction::new().delete(last.key.clone(), Expect::Present);
            let gone = gone.put(make(format!("n{:02}+", seen.len()))?).put(make("n00-".to_owned())?);
            store.commit(gone.put(make("n99".to_owned())?)).await?;
            match page.next {
                Some(next) => query.after = Some(next),
                None => break,
            }
        }
        let unique: BTreeSet<&String> = seen.iter().collect();
        assert_eq!(unique.len(), seen.len(), "no duplicates");
        for number in 0..20 {
            assert!(unique.contains(&format!("n{number:02}")), "n{number:02} is missing, {order:?}");
        }
        for document in store.query(&Query::of("test:thing").limit(1000)).await?.documents {
            store.commit(Transaction::new().delete(document.key.clone(), Expect::Present)).await?;
        }
    }
    Ok(())
}

pub(super) async fn foreign_positions_fail(store: &impl Store) -> Result<(), Failure> {
    fill(store).await?;
    let by_name = store.query(&Query::of("test:thing").limit(1)).await?;
    let by_time = Query { sort_by: SortBy::Created, after: by_name.next, ..Query::of("test:thing") };
    assert!(store.query(&by_time).await.is_err(), "a position of another order");
    let garbled = Query { after: Some("7".to_owned()), ..Query::of("test:thing") };
    assert!(store.query(&garbled).await.is_err());
    Ok(())
}

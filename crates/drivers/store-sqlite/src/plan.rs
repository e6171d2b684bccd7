//! Queries to SQL. Which index serves a query is decided here, not by the planner: `INDEXED BY` makes a shape that
//! no index serves fail to prepare, so a full scan cannot slip in.
//!
//! Pages start after a position by comparing row values in the order of the index, never by counting rows off.

use rusqlite::types::Value;
use stoa_store::{Order, Position, Query, SortBy, SortValue, StoreError};

/// A statement and what it is asked with.
#[derive(Debug)]
pub struct Planned {
    /// The text: one for each shape, so that prepared statements are reused.
    pub sql: String,
    /// The values of its parameters.
    pub values: Vec<Value>,
}

/// The page of a query, with one row more than the limit to tell whether there is a next page.
pub fn page(query: &Query) -> Result<Planned, StoreError> {
    let position = Position::parse(query)?;
    let mut plan = Planned::select(crate::rows::DOCUMENT_COLUMNS, query, Bounds::of(query, position.as_ref()));
    if let Some(position) = position {
        plan.after(query, position);
    }
    let direction = if query.order == Order::Ascending { "ASC" } else { "DESC" };
    let columns: Vec<String> = order_columns(query).iter().map(|column| format!("{column} {direction}")).collect();
    plan.sql.push_str(&format!(" ORDER BY {} LIMIT ?", columns.join(", ")));
    plan.values.push(Value::Integer(i64::try_from(query.limit.saturating_add(1)).unwrap_or(i64::MAX)));
    Ok(plan)
}

/// The number of documents that a query matches.
pub fn count(query: &Query) -> Planned {
    Planned::select("count(*)", query, Bounds { lower: true, upper: true })
}

/// The index that serves a query best.
fn index_of(query: &Query) -> &'static str {
    match (&query.parent, &query.account, query.sort_by) {
        (Some(_), _, SortBy::Created) if query.name.is_none() => "document_parent_created",
        (Some(_), _, _) => "document_parent_name",
        (None, Some(_), _) if query.name.is_some() => "document_account_name",
        // Sorted in memory by status: one account's rows, rather than everybody's in the order wanted.
        (None, Some(_), SortBy::Name | SortBy::Status) => "document_account_name",
        (None, Some(_), SortBy::Created) => "document_account_created",
        (None, Some(_), SortBy::Modified) => "document_account_modified",
        (None, None, _) if query.name.is_some() => "document_name",
        (None, None, SortBy::Status) => "document_status",
        (None, None, _) if !query.statuses.is_empty() => "document_status",
        (None, None, _) => "document_name",
    }
}

fn sort_column(sort_by: SortBy) -> &'static str {
    match sort_by {
        SortBy::Name => "name",
        SortBy::Created => "created",
        SortBy::Modified => "modified",
        SortBy::Status => "status",
    }
}

/// The sort column and the key. Where the index holds the account before the sort column it is left out: it is one
/// value only, and the rest then follows the index exactly.
fn order_columns(query: &Query) -> Vec<&'static str> {
    match account_leads(query) {
        true => vec![sort_column(query.sort_by), "region", "id"],
        false => vec![sort_column(query.sort_by), "account", "region", "id"],
    }
}

fn account_leads(query: &Query) -> bool {
    index_of(query).starts_with("document_account_")
}

/// Which ends of a prefix's range are asked for. SQLite seeks by one bound of each side only: beside a position inside
/// the range, the bound on the position's side says nothing more, and would have it walk from the range's end.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    lower: bool,
    upper: bool,
}

impl Bounds {
    fn of(query: &Query, position: Option<&Position>) -> Bounds {
        let mut bounds = Bounds { lower: true, upper: true };
        let (Some(prefix), SortBy::Name) = (&query.name_prefix, query.sort_by) else { return bounds };
        let Some(Position(SortValue::Text(name), ..)) = position else { return bounds };
        match query.order {
            Order::Ascending => bounds.lower = name < prefix,
            Order::Descending => bounds.upper = after_prefix(prefix).is_some_and(|end| *name >= end),
        }
        bounds
    }
}

impl Planned {
    fn select(columns: &str, query: &Query, bounds: Bounds) -> Planned {
        let sql = format!("SELECT {columns} FROM document INDEXED BY {} WHERE kind = ?", index_of(query));
        let mut plan = Planned { sql, values: vec![Value::Text(query.kind.to_owned())] };
        let owner = query.account.as_ref().map(|account| account.as_str());
        // A plus keeps SQLite from taking the column for a constant that the order need not hold: the index has it.
        plan.equal(if account_leads(query) { "account" } else { "+account" }, owner);
        plan.equal("+region", query.region.as_ref().map(|region| region.as_str()));
        plan.equal("parent", query.parent.as_deref());
        plan.equal("name", query.name.as_deref());
        plan.prefix(query.name_prefix.as_deref(), bounds);
        if let Some(part) = query.name_contains.as_deref().filter(|part| !part.is_empty()) {
            plan.and("instr(lower(name), ?) > 0", Value::Text(part.to_ascii_lowercase()));
        }
        plan.statuses(&query.statuses);
        for (column, range) in [("created", query.created), ("modified", query.modified)] {
            if let Some(after) = range.after {
                plan.and(&format!("{column} > ?"), Value::Integer(after.millis()));
            }
            if let Some(before) = range.before {
                plan.and(&format!("{column} < ?"), Value::Integer(before.millis()));
            }
        }
        plan
    }

    fn and(&mut self, condition: &str, value: Value) {
        self.sql.push_str(" AND ");
        self.sql.push_str(condition);
        self.values.push(value);
    }

    fn equal(&mut self, column: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.and(&format!("{column} = ?"), Value::Text(value.to_owned()));
        }
    }

    /// A prefix is a range of the index, whatever characters it has.
    fn prefix(&mut self, prefix: Option<&str>, bounds: Bounds) {
        let Some(prefix) = prefix.filter(|prefix| !prefix.is_empty()) else { return };
        if bounds.lower {
            self.and("name >= ?", Value::Text(prefix.to_owned()));
        }
        if let Some(end) = after_prefix(prefix).filter(|_| bounds.upper) {
            self.and("name < ?", Value::Text(end));
        }
    }

    fn statuses(&mut self, statuses: &[String]) {
        if statuses.is_empty() {
            return;
        }
        let marks = vec!["?"; statuses.len()].join(", ");
        self.sql.push_str(&format!(" AND status IN ({marks})"));
        self.values.extend(statuses.iter().map(|status| Value::Text(status.clone())));
    }

    fn after(&mut self, query: &Query, Position(value, account, region, id): Position) {
        let value = match value {
            SortValue::Time(millis) => Value::Integer(millis),
            SortValue::Text(text) => Value::Text(text),
        };
        let mut values = vec![value];
        if !account_leads(query) {
            values.push(Value::Text(account));
        }
        values.extend([Value::Text(region), Value::Text(id)]);
        let columns = order_columns(query);
        let sign = if query.order == Order::Ascending { ">" } else { "<" };
        let marks = vec!["?"; columns.len()].join(", ");
        self.sql.push_str(&format!(" AND ({}) {sign} ({marks})", columns.join(", ")));
        self.values.extend(values);
    }
}

/// The smallest text greater than all that start with the prefix; none when there is no such text.
pub fn after_prefix(prefix: &str) -> Option<String> {
    let mut characters: Vec<char> = prefix.chars().collect();
    while let Some(last) = characters.pop() {
        // A range of characters steps over the surrogates. UTF-8 sorts by bytes as characters sort by number.
        if let Some(next) = (last..=char::MAX).nth(1) {
            characters.push(next);
            return Some(characters.into_iter().collect());
        }
    }
    None
}

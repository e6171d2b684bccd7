//! Search expressions: read, held to AWS's limits, and put to a record.
//!
//! INVARIANT: what does not apply to a property (an order of texts, a part of a time) is refused when the expression is
//! read, so that holding it to a record cannot fail.

use stoa_kernel::ApiError;
use stoa_models_sagemaker::types::{BooleanOperator, Filter, HubContent, NestedFilters, Operator, SearchExpression};
use stoa_types::Timestamp;

use super::property::{DEPENDENCIES, Needs, Part, Property, TimeProperty, dependencies};
use super::timestamps;

/// Filters, nested filters and subexpressions in a whole expression.
const MOST_CONDITIONS: usize = 50;
/// Elements of one expression.
const MOST_ELEMENTS: usize = 20;

/// An expression that can be put to records.
#[derive(Debug)]
pub(super) struct Expression {
    any: bool,
    conditions: Vec<Condition>,
}

#[derive(Debug)]
enum Condition {
    Text {
        property: Property,
        test: TextTest,
    },
    Time {
        property: &'static TimeProperty,
        test: TimeTest,
    },
    /// One dependency satisfies all.
    Dependency(Vec<(&'static Part, TextTest)>),
    Sub(Expression),
}

/// A test of the texts that a property has; several of them count as one text each.
#[derive(Debug)]
enum TextTest {
    Equals(String),
    NotEquals(String),
    Contains(String),
    In(Vec<String>),
    Exists,
    NotExists,
}

#[derive(Debug)]
enum TimeTest {
    Compare(Comparison, Timestamp),
    Exists,
    NotExists,
}

#[derive(Debug, Clone, Copy)]
enum Comparison {
    Equal,
    NotEqual,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

impl Expression {
    /// Reads the expression of a request.
    pub fn of(expression: SearchExpression) -> Result<Expression, ApiError> {
        let mut counted = Counted::default();
        counted.add(&expression);
        if counted.conditions > MOST_CONDITIONS {
            return Err(ApiError::validation(format!(
                "SearchExpression can include at most {MOST_CONDITIONS} recursive SubExpressions, NestedFilters and \
                 Filters"
            )));
        }
        if counted.contains > 1 {
            return Err(ApiError::validation("'CONTAINS' operator usage limit of 1 exceeded."));
        }
        Expression::read(expression)
    }

    fn read(expression: SearchExpression) -> Result<Expression, ApiError> {
        let mut conditions = Vec::new();
        for filter in expression.filters.unwrap_or_default() {
            conditions.push(condition(filter)?);
        }
        for nested in expression.nested_filters.unwrap_or_default() {
            conditions.push(nested_condition(nested)?);
        }
        for sub in expression.sub_expressions.unwrap_or_default() {
            conditions.push(Condition::Sub(Expression::read(sub)?));
        }
        match conditions.len() {
            0 => Err(ApiError::validation(
                "SearchExpression: at least one of Filters, NestedFilters and SubExpressions must be specified",
            )),
            found if found > MOST_ELEMENTS => {
                Err(ApiError::validation(format!("SearchExpression can contain up to {MOST_ELEMENTS} elements")))
            }
            _ => Ok(Expression { any: expression.operator == Some(BooleanOperator::Or), conditions }),
        }
    }

    /// Whether a record satisfies it.
    pub fn holds(&self, content: &HubContent) -> bool {
        let mut conditions = self.conditions.iter();
        match self.any {
            true => conditions.any(|condition| condition.holds(content)),
            false => conditions.all(|condition| condition.holds(content)),
        }
    }

    /// Whether it may hold of a record whose property of this name is this one text, whatever else the record says.
    pub fn may_hold(&self, name: &str, text: &str) -> bool {
        let may = |condition: &Condition| match condition {
            Condition::Text { property: Property::Text(property), test } if property.name == name => {
                test.holds(&[text])
            }
            Condition::Sub(expression) => expression.may_hold(name, text),
            _ => true,
        };
        match self.any {
            true => self.conditions.iter().any(may),
            false => self.conditions.iter().all(may),
        }
    }

    /// What of a record it looks at.
    pub fn needs(&self) -> Needs {
        self.conditions.iter().fold(Needs::default(), |needs, condition| {
            needs.and(match condition {
                Condition::Text { property, .. } => property.needs(),
                Condition::Time { .. } => Needs::default(),
                Condition::Dependency(_) => Needs { texts: true, tags: false },
                Condition::Sub(expression) => expression.needs(),
            })
        })
    }
}

/// How much of everything an expression has, all the way down.
#[derive(Default)]
struct Counted {
    conditions: usize,
    contains: usize,
}

impl Counted {
    fn add(&mut self, expression: &SearchExpression) {
        self.add_filters(expression.filters.as_deref().unwrap_or_default());
        for nested in expression.nested_filters.iter().flatten() {
            self.conditions += 1;
            self.add_filters(&nested.filters);
        }
        for sub in expression.sub_expressions.iter().flatten() {
            self.conditions += 1;
            self.add(sub);
        }
    }

    fn add_filters(&mut self, filters: &[Filter]) {
        self.conditions += filters.len();
        self.contains += filters.iter().filter(|filter| filter.operator == Some(Operator::Contains)).count();
    }
}

fn condition(filter: Filter) -> Result<Condition, ApiError> {
    match Property::of(&filter.name)? {
        Property::Time(property) => Ok(Condition::Time { property, test: time_test(filter)? }),
        property => Ok(Condition::Text { property, test: text_test(filter)? }),
    }
}

fn nested_condition(nested: NestedFilters) -> Result<Condition, ApiError> {
    if nested.nested_property_name != DEPENDENCIES {
        return Err(ApiError::validation(format!(
            "NestedPropertyName `{}` is not a nested property of HubContent, which has {DEPENDENCIES}",
            nested.nested_property_name
        )));
    }
    let mut parts = Vec::new();
    for filter in nested.filters {
        parts.push((Part::named(&filter.name)?, text_test(filter)?));
    }
    Ok(Condition::Dependency(parts))
}

fn value(filter: &Filter, operator: Operator) -> Result<String, ApiError> {
    let missing = || {
        ApiError::validation(format!("Value of {} must be specified with operator {}", filter.name, operator.as_str()))
    };
    filter.value.clone().ok_or_else(missing)
}

fn unsupported(operator: Operator, kind: &str, name: &str) -> ApiError {
    ApiError::validation(format!(
        "operator {} is not supported for {kind} properties, and {name} is one",
        operator.as_str()
    ))
}

fn text_test(filter: Filter) -> Result<TextTest, ApiError> {
    // A Value without an Operator is to be equal.
    let operator = filter.operator.unwrap_or(Operator::Equals);
    Ok(match operator {
        Operator::Equals => TextTest::Equals(value(&filter, operator)?),
        Operator::NotEquals => TextTest::NotEquals(value(&filter, operator)?),
        Operator::Contains => TextTest::Contains(value(&filter, operator)?),
        Operator::In => TextTest::In(value(&filter, operator)?.split(',').map(|one| one.trim().to_owned()).collect()),
        Operator::Exists => TextTest::Exists,
        Operator::NotExists => TextTest::NotExists,
        Operator::GreaterThan | Operator::GreaterThanOrEqualTo | Operator::LessThan | Operator::LessThanOrEqualTo => {
            return Err(unsupported(operator, "text", &filter.name));
        }
    })
}

fn time_test(filter: Filter) -> Result<TimeTest, ApiError> {
    let operator = filter.operator.unwrap_or(Operator::Equals);
    let comparison = match operator {
        Operator::Equals => Comparison::Equal,
        Operator::NotEquals => Comparison::NotEqual,
        Operator::GreaterThan => Comparison::Greater,
        Operator::GreaterThanOrEqualTo => Comparison::GreaterOrEqual,
        Operator::LessThan => Comparison::Less,
        Operator::LessThanOrEqualTo => Comparison::LessOrEqual,
        Operator::Exists => return Ok(TimeTest::Exists),
        Operator::NotExists => return Ok(TimeTest::NotExists),
        Operator::Contains | Operator::In => return Err(unsupported(operator, "timestamp", &filter.name)),
    };
    Ok(TimeTest::Compare(comparison, timestamps::parse(&filter.name, &value(&filter, operator)?)?))
}

impl Condition {
    fn holds(&self, content: &HubContent) -> bool {
        match self {
            Condition::Text { property, test } => test.holds(&property.texts(content)),
            Condition::Time { property, test } => test.holds((property.of)(content)),
            Condition::Dependency(parts) => dependencies(content)
                .iter()
                .any(|dependency| parts.iter().all(|(part, test)| test.holds((part.of)(dependency).as_slice()))),
            Condition::Sub(expression) => expression.holds(content),
        }
    }
}

impl TextTest {
    /// NotEquals and NotExists are the contrary of the others, so they hold of what is not there.
    fn holds(&self, texts: &[&str]) -> bool {
        match self {
            TextTest::Equals(wanted) => texts.contains(&wanted.as_str()),
            TextTest::NotEquals(wanted) => !texts.contains(&wanted.as_str()),
            TextTest::Contains(part) => texts.iter().any(|text| text.contains(part.as_str())),
            TextTest::In(wanted) => texts.iter().any(|text| wanted.iter().any(|one| one == text)),
            TextTest::Exists => !texts.is_empty(),
            TextTest::NotExists => texts.is_empty(),
        }
    }
}

impl TimeTest {
    fn holds(&self, stored: Option<Timestamp>) -> bool {
        match (self, stored) {
            (TimeTest::Exists, stored) => stored.is_some(),
            (TimeTest::NotExists, stored) => stored.is_none(),
            (TimeTest::Compare(comparison, _), None) => matches!(comparison, Comparison::NotEqual),
            (TimeTest::Compare(comparison, wanted), Some(stored)) => {
                let (stored, wanted) = (timestamps::comparable(stored, *wanted), wanted.millis());
                match comparison {
                    Comparison::Equal => stored == wanted,
                    Comparison::NotEqual => stored != wanted,
                    Comparison::Greater => stored > wanted,
                    Comparison::GreaterOrEqual => stored >= wanted,
                    Comparison::Less => stored < wanted,
                    Comparison::LessOrEqual => stored <= wanted,
                }
            }
        }
    }
}

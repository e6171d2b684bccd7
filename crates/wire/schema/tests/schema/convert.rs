//! Values to types and back.

use std::collections::BTreeMap;

use bytes::Bytes;
use stoa_schema::{ConvertError, Empty, FieldReader, FieldWriter, FromValue, ToValue, Value};
use stoa_types::Timestamp;

use crate::shapes::string;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Sort {
    Ascending,
    Descending,
}

impl Sort {
    const fn as_str(self) -> &'static str {
        match self {
            Sort::Ascending => "Ascending",
            Sort::Descending => "Descending",
        }
    }
}

impl std::str::FromStr for Sort {
    type Err = ConvertError;
    fn from_str(text: &str) -> Result<Sort, ConvertError> {
        match text {
            "Ascending" => Ok(Sort::Ascending),
            "Descending" => Ok(Sort::Descending),
            _ => Err(ConvertError { member: "Sort" }),
        }
    }
}

stoa_schema::text_enum!(Sort);

fn there_and_back<T: FromValue + ToValue + Clone + PartialEq + std::fmt::Debug>(given: T) {
    assert_eq!(T::from_value(given.clone().to_value()).unwrap(), given);
}

#[test]
fn every_type_survives() {
    there_and_back(true);
    there_and_back(i64::MIN);
    there_and_back(0.5);
    there_and_back("x".to_owned());
    there_and_back(Bytes::from_static(b"x"));
    there_and_back(Timestamp::from_millis(1));
    there_and_back(vec![Some(1_i64), Some(2)].into_iter().flatten().collect::<Vec<i64>>());
    there_and_back(BTreeMap::from([("k".to_owned(), vec!["v".to_owned()])]));
    there_and_back(Box::new(7_i64));
    there_and_back(Sort::Descending);
    there_and_back(Empty {});
}

#[test]
fn a_wrong_form_names_the_member() {
    let mut fields = FieldReader::open(Value::Struct(vec![("A", Value::Int(1))]), "Shape").unwrap();
    assert_eq!(fields.required::<String>("A"), Err(ConvertError { member: "A" }));
    assert_eq!(fields.required::<String>("B"), Err(ConvertError { member: "B" }));
    assert_eq!(fields.optional::<String>("B"), Ok(None));
    assert!(FieldReader::open(string("x"), "Shape").is_err());
    assert_eq!(f64::from_value(Value::Int(2)), Ok(2.0), "a whole number is a float too");
    assert!(Sort::from_value(string("sideways")).is_err());
    assert!(Sort::from_value(Value::Int(1)).is_err());
}

#[test]
fn a_structure_is_written_without_what_is_absent() {
    let value =
        FieldWriter::new(2).required("A", 1_i64).optional("B", None::<String>).optional("C", Some(true)).finish();
    assert_eq!(value, Value::Struct(vec![("A", Value::Int(1)), ("C", Value::Bool(true))]));
}

#[test]
fn an_enum_is_its_text_everywhere() {
    assert_eq!(Sort::Ascending.to_string(), "Ascending");
    assert_eq!(serde_json::to_string(&Sort::Ascending).unwrap(), "\"Ascending\"");
    assert_eq!(serde_json::from_str::<Sort>("\"Descending\"").unwrap(), Sort::Descending);
    assert!(serde_json::from_str::<Sort>("\"x\"").is_err());
}

//! Makes the changes of a suggestion on the JSON of a case. Shares no code with the engine.

use serde_json::{Value, json};
use stoa_policy::Change;

/// The case with the changes made.
pub fn applied(case: &Value, changes: &[Change]) -> Value {
    let mut case = case.clone();
    for change in changes {
        match change {
            Change::SetKey { key, values, .. } => set_key(&mut case, key, values),
            Change::AddStatement { slot, level, statement } => {
                let document = json!({"Version": "2012-10-17", "Statement": [statement]});
                add(&mut case["policies"][slot.name()], slot.name(), *level, document);
            }
            Change::Exempt { slot, level, policy, index, condition, .. } => {
                let statement = find(&mut case["policies"][slot.name()], slot.name(), *level, policy, *index);
                for (operator, keys) in condition.as_object().unwrap() {
                    for (key, value) in keys.as_object().unwrap() {
                        // A negated operator over several values is their NOR, so a value joins those that are there.
                        let mut values = match &statement["Condition"][operator][key] {
                            Value::Null => vec![],
                            Value::Array(list) => list.clone(),
                            one => vec![one.clone()],
                        };
                        values.push(value.clone());
                        statement["Condition"][operator][key] = json!(values);
                    }
                }
            }
            Change::RemoveStatement { slot, level, policy, index, .. } => {
                // What never matches is as good as gone, and keeps the positions of the others.
                let statement = find(&mut case["policies"][slot.name()], slot.name(), *level, policy, *index);
                *statement = json!({"Effect": "Deny", "Action": "none:None", "Resource": "arn:none"});
            }
        }
    }
    case
}

fn set_key(case: &mut Value, key: &str, values: &[String]) {
    let context = case["context"].as_object_mut().unwrap();
    let old: Vec<String> = context.keys().filter(|name| name.eq_ignore_ascii_case(key)).cloned().collect();
    for name in old {
        context.remove(&name);
    }
    context.insert(key.to_owned(), json!(values));
}

fn add(slot: &mut Value, name: &str, level: usize, document: Value) {
    match name {
        "scp" | "rcp" => slot[level].as_array_mut().unwrap().push(document),
        _ => {
            let mut all = match slot.take() {
                Value::Null => vec![],
                Value::Array(list) => list,
                one => vec![one],
            };
            all.push(document);
            *slot = json!(all);
        }
    }
}

/// The statement that a change speaks of, whose policy is named `slot[n]` by the runner of cases.
fn find<'a>(slot: &'a mut Value, name: &str, level: usize, policy: &str, index: usize) -> &'a mut Value {
    let at: usize = policy[name.len() + 1..policy.len() - 1].parse().unwrap();
    let slot = if matches!(name, "scp" | "rcp") { &mut slot[level] } else { slot };
    let document = if slot.is_array() { &mut slot[at] } else { slot };
    let statement = &mut document["Statement"];
    if statement.is_array() { &mut statement[index] } else { statement }
}

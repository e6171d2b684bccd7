//! Member paths of an input, and the small languages that overlays name them in.

use crate::facts::Model;

/// Every path of an input with the shape of its value; paths through lists and maps are marked `[]`. A shape that
/// contains itself is entered once.
pub fn walk(model: &Model, input: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    enter(model, input, "", &mut Vec::new(), &mut found);
    found
}

fn enter(model: &Model, shape: &str, path: &str, above: &mut Vec<String>, found: &mut Vec<(String, String)>) {
    let Some(facts) = model.shapes.get(shape) else { return };
    if above.iter().any(|name| name == shape) {
        return;
    }
    above.push(shape.to_owned());
    for (name, member) in &facts.members {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        found.push((path.clone(), member.shape.clone()));
        enter(model, &member.shape, &path, above, found);
    }
    if let Some(element) = facts.member.as_ref().or(facts.value.as_ref()) {
        enter(model, &element.shape, &format!("{path}[]"), above, found);
    }
    above.pop();
}

/// The paths that a rule means: itself where the input has it, or for `**.A.*B` every path that ends so.
pub fn expand(paths: &[(String, String)], rule: &str) -> Vec<String> {
    let Some(tail) = rule.strip_prefix("**.") else {
        return paths.iter().filter(|(path, _)| plain(path) == plain(rule)).map(|(path, _)| path.clone()).collect();
    };
    let wanted: Vec<&str> = tail.split('.').collect();
    let fits = |path: &str| {
        let plain = plain(path);
        let steps: Vec<&str> = plain.split('.').collect();
        let end = steps.len().checked_sub(wanted.len()).and_then(|from| steps.get(from..)).unwrap_or_default();
        end.len() == wanted.len() && end.iter().zip(&wanted).all(|(step, wanted)| step_fits(step, wanted))
    };
    paths.iter().filter(|(path, _)| fits(path)).map(|(path, _)| path.clone()).collect()
}

fn step_fits(step: &str, wanted: &str) -> bool {
    match wanted.strip_prefix('*') {
        Some(end) => step.ends_with(end),
        None => step == wanted,
    }
}

fn plain(path: &str) -> String {
    path.replace("[]", "")
}

/// The member paths in a resource template; the error says what is wrong with its form.
pub fn of_template(template: &str) -> Result<Vec<&str>, String> {
    let mut found = Vec::new();
    for piece in template.split('{').skip(1) {
        let name = piece.split_once('}').map(|(name, _)| name).ok_or("a `{` without `}` in the resource")?;
        if matches!(name, "partition" | "region" | "account") {
            continue;
        }
        let forms = ["!", "?", ":kms", ":kind"];
        let path = forms.iter().find_map(|form| name.strip_suffix(form)).unwrap_or(name);
        found.extend(path.split('|').map(|path| path.strip_suffix("/*").unwrap_or(path)));
    }
    Ok(found)
}

/// The member paths in the `from` of a key.
pub fn of_key(from: &str) -> Result<Vec<String>, String> {
    let mut found = Vec::new();
    for alternative in from.split('|').filter(|alternative| !alternative.starts_with('=')) {
        if let Some(question) = alternative.strip_prefix('?') {
            let (path, members) = question.split_once(':').unwrap_or((question, ""));
            found.push(path.to_owned());
            found.extend(
                members.split('-').filter(|member| !member.is_empty()).map(|member| format!("{path}.{member}")),
            );
        } else if alternative.contains('{') {
            found.extend(of_template(alternative)?.into_iter().map(str::to_owned));
        } else {
            found.push(alternative.to_owned());
        }
    }
    Ok(found)
}

/// Whether the input has a member at this path.
pub fn check(model: &Model, input: Option<&str>, path: &str) -> Result<(), String> {
    let unknown = || format!("the input has no `{path}`");
    let mut shape = input.and_then(|input| model.shapes.get(input)).ok_or_else(unknown)?;
    for step in path.split('.') {
        let (name, each) = step.strip_suffix("[]").map_or((step, false), |name| (name, true));
        let (_, member) = shape.members.iter().find(|(member, _)| member == name).ok_or_else(unknown)?;
        shape = model.shapes.get(&member.shape).ok_or_else(unknown)?;
        if each {
            let element = shape.member.as_ref().or(shape.value.as_ref()).ok_or_else(unknown)?;
            shape = model.shapes.get(&element.shape).ok_or_else(unknown)?;
        }
    }
    Ok(())
}

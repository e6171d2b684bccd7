//! Paths and query strings: templates matched, percent-encoding undone.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// The labels of a path that fits the template (`/endpoints/{EndpointName}/invocations`), decoded; none when it does
/// not fit. A label is one non-empty segment; `{Key+}` takes the rest. A query in the template is not looked at.
pub fn match_uri<'t>(template: &'t str, path: &str) -> Option<Vec<(&'t str, String)>> {
    let template = template.split('?').next().unwrap_or_default();
    let mut labels = Vec::new();
    let mut rest = path.strip_prefix('/')?;
    let mut wanted = template.strip_prefix('/')?;
    loop {
        let (segment, wanted_rest) = split_segment(wanted);
        let label = segment.strip_prefix('{').and_then(|label| label.strip_suffix('}'));
        if let Some(greedy) = label.and_then(|label| label.strip_suffix('+')) {
            labels.push((greedy, percent_decode(rest)?.into_owned()));
            return (!rest.is_empty() && wanted_rest.is_none()).then_some(labels);
        }
        let (given, given_rest) = split_segment(rest);
        match label {
            Some(_) if given.is_empty() => return None,
            Some(label) => labels.push((label, percent_decode(given)?.into_owned())),
            None if percent_decode(given)? == segment => {}
            None => return None,
        }
        match (wanted_rest, given_rest) {
            (None, None | Some("")) => return Some(labels),
            (Some(""), None) => return Some(labels),
            (Some(next_wanted), Some(next_given)) => {
                wanted = next_wanted;
                rest = next_given;
            }
            _ => return None,
        }
    }
}

fn split_segment(path: &str) -> (&str, Option<&str>) {
    path.split_once('/').map_or((path, None), |(segment, rest)| (segment, Some(rest)))
}

/// Undoes percent-encoding; none when the bytes are not UTF-8.
pub fn percent_decode(text: &str) -> Option<Cow<'_, str>> {
    percent_decode_str(text).decode_utf8().ok()
}

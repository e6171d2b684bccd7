//! README.md: the YAML front matter in Hugging Face's terms, and the text below it.
//!
//! The YAML is somebody else's: the reader bounds its depth, size and aliases, and takes scalars and lists of them only.

use serde_json::Value;

use super::super::folder::LONGEST_CARD;
use super::layout::Layout;
use super::{RepositoryPath, find, text_of};

const README: &str = "README.md";
const LONGEST_README: u64 = 4 << 20;
const LONGEST_FRONT_MATTER: usize = 256 * 1024;
const LONGEST_DESCRIPTION: usize = 500;
/// Of a tag, a language, a base model.
const LONGEST_WORD: usize = 255;

/// What a card says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Card {
    pub licence: Option<String>,
    pub pipeline_tag: Option<String>,
    pub library_name: Option<String>,
    pub tags: Vec<String>,
    pub languages: Vec<String>,
    pub base_models: Vec<String>,
    /// Whether its source asks for consent.
    pub gated: bool,
    text: String,
}

impl Card {
    pub fn read(layout: &Layout, files: &[RepositoryPath]) -> Result<Card, String> {
        let missing = || format!("{}: there is no {README} (the model card)", layout.root.display());
        let file = find(files, README).ok_or_else(missing)?;
        let text = text_of(&file.on_disk, LONGEST_README)?;
        Card::parse(&text).map_err(|problem| format!("{}: {problem}", file.on_disk.display()))
    }

    fn parse(text: &str) -> Result<Card, String> {
        let (front, below) = split(text);
        let Some(front) = front else { return Ok(Card { text: below.to_owned(), ..Card::default() }) };
        if front.len() > LONGEST_FRONT_MATTER {
            return Err(format!("the front matter has more than {LONGEST_FRONT_MATTER} bytes"));
        }
        let found: Value = serde_saphyr::from_str(front)
            .map_err(|error| format!("the front matter: {}", first_line(&error.to_string())))?;
        if !found.is_object() && !found.is_null() {
            return Err("the front matter: a mapping is expected".to_owned());
        }
        let licence = one(&found, "license").filter(|licence| licence != "other");
        Ok(Card {
            licence: licence.or_else(|| one(&found, "license_name")).or_else(|| one(&found, "license")),
            pipeline_tag: one(&found, "pipeline_tag"),
            library_name: one(&found, "library_name"),
            tags: many(&found, "tags"),
            languages: many(&found, "language"),
            base_models: many(&found, "base_model"),
            gated: found.as_object().is_some_and(|keys| keys.keys().any(|key| key.starts_with("extra_gated_"))),
            text: below.to_owned(),
        })
    }

    /// The text for people, without front matter, as long as a hub content's may be.
    pub fn markdown(&self, display_name: &str) -> String {
        let text = self.text.trim();
        if text.is_empty() {
            return format!("# {display_name}\n");
        }
        text.chars().take(LONGEST_CARD - 1).chain(['\n']).collect()
    }

    /// The first lines that are prose.
    pub fn first_paragraph(&self) -> Option<String> {
        let prose = |paragraph: &&str| paragraph.starts_with(|first: char| first.is_alphanumeric() || first == '*');
        let paragraph = self.text.split("\n\n").map(str::trim).find(prose)?;
        let words = paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
        Some(words.chars().take(LONGEST_DESCRIPTION).collect())
    }
}

/// The front matter of any card as it is; null where there is none that can be read.
pub(crate) fn front_matter(text: &str) -> Value {
    let front = split(text).0.filter(|front| front.len() <= LONGEST_FRONT_MATTER);
    front.and_then(|front| serde_saphyr::from_str(front).ok()).unwrap_or_default()
}

/// Front matter, where the text begins with it, and the rest.
fn split(text: &str) -> (Option<&str>, &str) {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let Some(rest) = text.strip_prefix("---\n").or_else(|| text.strip_prefix("---\r\n")) else { return (None, text) };
    let mut at = 0;
    for line in rest.split_inclusive('\n') {
        if line.trim_end() == "---" {
            return (rest.get(..at), rest.get(at + line.len()..).unwrap_or_default());
        }
        at += line.len();
    }
    (None, text)
}

fn scalar(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        // `no` is Norwegian before it is false.
        Value::Bool(answer) => if *answer { "yes" } else { "no" }.to_owned(),
        _ => return None,
    };
    let plain = !text.is_empty() && text.chars().count() <= LONGEST_WORD && !text.chars().any(char::is_control);
    plain.then_some(text)
}

fn one(found: &Value, key: &str) -> Option<String> {
    many(found, key).into_iter().next()
}

fn many(found: &Value, key: &str) -> Vec<String> {
    match found.get(key) {
        Some(Value::Array(values)) => values.iter().filter_map(scalar).collect(),
        Some(value) => scalar(value).into_iter().collect(),
        None => Vec::new(),
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    //! Cards as they are found in the wild, and as they are sent to do harm.

    use super::*;

    #[test]
    fn front_matter_in_all_its_forms() {
        let text = "---\nlicense: apache-2.0\nlanguage:\n- en\n- no\ntags: [a, 'b']\npipeline_tag: text-generation\n\
                    base_model: org/base\nlibrary_name: transformers\nmodel-index:\n- name: x\n---\n\n# Title\n\nWhat it *does*.\nMore.\n\nRest\n";
        let card = Card::parse(text).unwrap();
        assert_eq!(card.licence.as_deref(), Some("apache-2.0"));
        assert_eq!(
            (card.languages, card.tags),
            (vec!["en".to_owned(), "no".to_owned()], vec!["a".to_owned(), "b".to_owned()])
        );
        assert_eq!(card.base_models, ["org/base"]);
        let card = Card::parse(text).unwrap();
        assert_eq!(card.first_paragraph().as_deref(), Some("What it *does*. More."));
        assert!(card.markdown("x").starts_with("# Title"));
        let other =
            Card::parse("---\r\nlicense: other\r\nlicense_name: llama3\r\nextra_gated_prompt: Read this\r\n---\r\n")
                .unwrap();
        assert_eq!(
            (other.licence.as_deref(), other.gated, other.markdown("N").as_str()),
            (Some("llama3"), true, "# N\n")
        );
        assert_eq!(Card::parse("no front matter").unwrap().markdown("x"), "no front matter\n");
        assert_eq!(Card::parse("---\nnever closed").unwrap().licence, None);
        assert_eq!(Card::parse("---\n---\ntext").unwrap().licence, None);
    }

    #[test]
    fn hostile_front_matter_is_refused_or_harmless() {
        let bomb = "---\na: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n\
                    d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\n\
                    g: &g [*f,*f,*f,*f,*f,*f,*f,*f,*f]\nh: &h [*g,*g,*g,*g,*g,*g,*g,*g,*g]\n---\n";
        assert!(Card::parse(bomb).is_err());
        let deep = format!("---\na: {}{}\n---\n", "[".repeat(100_000), "]".repeat(100_000));
        assert!(Card::parse(&deep).is_err());
        for bad in ["---\n- a\n---\n", "---\na: [\n---\n", "---\na: b: c\n---\n", "---\na: 1\na: 2\n---\n"] {
            assert!(Card::parse(bad).is_err(), "{bad}");
        }
        assert!(Card::parse(&format!("---\na: {}\n---\n", "x".repeat(300_000))).is_err());
        // What is no scalar says nothing.
        let odd = Card::parse("---\nlicense: {a: b}\ntags: [[a], {b: c}, d]\n---\n").unwrap();
        assert_eq!((odd.licence, odd.tags), (None, vec!["d".to_owned()]));
    }
}

//! Judges a content by a policy: pure, over what was found out about its files.

use std::collections::BTreeSet;

use serde_json::Value;
use stoa_artifacts::Scan;

use super::{Action, AdmissionPolicy};

/// Imports of pickles that hold tensors, arrays and plain data, of torch, NumPy and Python. None of them runs what it is
/// given. `torch.storage._load_from_bytes` is not among them: it would read a further pickle.
const SAFE_IMPORTS: [&str; 44] = [
    "builtins.bytearray",
    "builtins.bytes",
    "builtins.complex",
    "builtins.dict",
    "builtins.float",
    "builtins.frozenset",
    "builtins.int",
    "builtins.list",
    "builtins.object",
    "builtins.range",
    "builtins.set",
    "builtins.slice",
    "builtins.str",
    "builtins.tuple",
    "__builtin__.set",
    "__builtin__.frozenset",
    "__builtin__.bytearray",
    "__builtin__.complex",
    "__builtin__.object",
    "_codecs.encode",
    "collections.Counter",
    "collections.OrderedDict",
    "copy_reg._reconstructor",
    "copyreg._reconstructor",
    "datetime.date",
    "datetime.datetime",
    "datetime.timedelta",
    "numpy.dtype",
    "numpy.ndarray",
    "numpy._core.multiarray._reconstruct",
    "numpy._core.multiarray.scalar",
    "numpy.core.multiarray._reconstruct",
    "numpy.core.multiarray.scalar",
    "torch.Size",
    "torch.Tensor",
    "torch.device",
    "torch._utils._rebuild_parameter",
    "torch._utils._rebuild_tensor",
    "torch._utils._rebuild_tensor_v2",
    "torch._tensor._rebuild_from_type_v2",
    "torch.nn.parameter.Parameter",
    "torch.storage.TypedStorage",
    "torch.storage.UntypedStorage",
    "torch.serialization._get_layout",
];

/// Torch's element types and storages, which are names in `torch` itself.
fn is_torch_type(import: &str) -> bool {
    let Some(name) = import.strip_prefix("torch.") else { return false };
    let types =
        ["float", "double", "half", "int", "uint", "bool", "complex", "bfloat", "long", "short", "qint", "quint"];
    let sized = types
        .iter()
        .any(|kind| name.strip_prefix(kind).is_some_and(|bits| bits.bytes().all(|byte| byte.is_ascii_digit())));
    let storage =
        name.strip_suffix("Storage").is_some_and(|kind| kind.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    sized || storage
}

/// A file and what was found out about it.
pub(super) struct Examined<'a> {
    pub path: &'a str,
    pub scan: &'a Scan,
}

/// What a content says of itself.
#[derive(Debug, Default)]
pub(super) struct Described {
    pub licence: Option<String>,
    /// Members of the document and of the card's front matter that say something.
    pub document: BTreeSet<String>,
    pub card: BTreeSet<String>,
}

/// What comes of it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Verdict {
    /// Why it is kept out for good.
    pub refusals: Vec<String>,
    /// What pickles in it do that they should not, as the file and what.
    pub unsafe_pickles: Vec<(String, String)>,
}

impl AdmissionPolicy {
    /// What the description and the files' names and sizes say: it costs nothing, so it comes before any byte is read.
    pub(super) fn judge_facts<'a>(
        &self,
        described: &Described,
        files: impl IntoIterator<Item = (&'a str, u64)>,
    ) -> Verdict {
        let mut verdict = Verdict::default();
        self.judge_description(described, &mut verdict);
        let (mut total, mut long) = (0_u64, Vec::new());
        for (path, size) in files {
            total = total.saturating_add(size);
            if let Some(most) = self.max_file_bytes.filter(|most| size > *most) {
                long.push(format!("{path}: {size} bytes, at most {most} are allowed"));
            }
        }
        if let Some(most) = self.max_total_bytes.filter(|most| total > *most) {
            verdict.refusals.push(format!("the files have {total} bytes, at most {most} are allowed"));
        }
        verdict.refusals.append(&mut long);
        verdict
    }

    /// What the files' bytes say.
    pub(super) fn judge_files(&self, files: &[Examined<'_>]) -> Verdict {
        let mut verdict = Verdict::default();
        for file in files {
            self.judge_file(file, &mut verdict);
        }
        verdict
    }

    fn judge_description(&self, described: &Described, verdict: &mut Verdict) {
        if !self.licences.is_empty() {
            match &described.licence {
                Some(licence) if self.licences.iter().any(|allowed| allowed.eq_ignore_ascii_case(licence)) => {}
                Some(licence) => verdict.refusals.push(format!("the licence {licence} is not allowed")),
                None => verdict.refusals.push("no licence is named".to_owned()),
            }
        }
        for field in self.document_fields.difference(&described.document) {
            verdict.refusals.push(format!("the document lacks {field}"));
        }
        for field in self.card_fields.difference(&described.card) {
            verdict.refusals.push(format!("the model card's front matter lacks {field}"));
        }
    }

    fn judge_file(&self, file: &Examined<'_>, verdict: &mut Verdict) {
        if !self.formats.is_empty() {
            if !self.formats.contains(&file.scan.format) {
                verdict.refusals.push(format!("{}: the format {} is not allowed", file.path, file.scan.format));
            }
            for format in file.scan.inner.difference(&self.formats) {
                verdict.refusals.push(format!("{}: the format {format} of a file in it is not allowed", file.path));
            }
        }
        if self.unsafe_pickle.is_some() {
            let what = self.unsafe_in(file.scan);
            verdict.unsafe_pickles.extend(what.into_iter().map(|what| (file.path.to_owned(), what)));
        }
    }

    /// What a file holds that is not known to be harmless.
    pub(super) fn unsafe_in(&self, scan: &Scan) -> Vec<String> {
        let imports = scan.imports.iter().filter(|import| !self.allows_import(import));
        let imports = imports.map(|import| format!("a pickle imports {}", import.replace(':', ".")));
        imports.chain(scan.problems.iter().cloned()).collect()
    }

    fn allows_import(&self, import: &str) -> bool {
        if SAFE_IMPORTS.contains(&import) || is_torch_type(import) || self.imports.contains(import) {
            return true;
        }
        // A way through attributes (`module:a.b`) is covered by no wildcard.
        let Some((module, _)) = import.rsplit_once('.').filter(|_| !import.contains(':')) else { return false };
        self.imports
            .iter()
            .filter_map(|allowed| allowed.strip_suffix(".*"))
            .any(|allowed| module == allowed || module.strip_prefix(allowed).is_some_and(|rest| rest.starts_with('.')))
    }
}

impl Verdict {
    /// Why it is not let in by this action; none when it is.
    pub fn kept_out(&self, action: Option<Action>) -> Option<(Action, String)> {
        let pickles = || self.unsafe_pickles.iter().map(|(path, what)| format!("{path}: {what}"));
        if !self.refusals.is_empty() {
            let pickles = pickles().filter(|_| action == Some(Action::Refuse));
            return Some((Action::Refuse, reason(self.refusals.iter().cloned().chain(pickles))));
        }
        match action {
            Some(action @ (Action::Refuse | Action::Quarantine)) if !self.unsafe_pickles.is_empty() => {
                Some((action, reason(pickles())))
            }
            _ => None,
        }
    }
}

/// As many reasons as a FailureReason has room for.
fn reason(reasons: impl Iterator<Item = String>) -> String {
    const ROOM: usize = 900;
    let mut text = String::new();
    for (number, reason) in reasons.enumerate() {
        if text.len() + reason.len() > ROOM && number > 0 {
            text.push_str("; and more");
            break;
        }
        if number > 0 {
            text.push_str("; ");
        }
        text.extend(reason.chars().take(ROOM));
    }
    text
}

/// What a document and a card say.
pub(super) fn described(document: &str, card: Option<&str>) -> Described {
    let document: Value = serde_json::from_str(document).unwrap_or_default();
    let front = crate::catalog::front_matter(card.unwrap_or_default());
    let said = |value: &Value| match value {
        Value::Null => false,
        Value::String(text) => !text.trim().is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => !members.is_empty(),
        Value::Bool(_) | Value::Number(_) => true,
    };
    let names = |value: &Value| -> BTreeSet<String> {
        let members = value.as_object().into_iter().flatten();
        members.filter(|(_, value)| said(value)).map(|(name, _)| name.clone()).collect()
    };
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(|text| text.trim().to_owned());
    let licence = text(&document, "License").or_else(|| text(&document, "ModelLicense"));
    let licence = licence.or_else(|| text(&front, "license")).filter(|licence| !licence.is_empty());
    Described { licence, document: names(&document), card: names(&front) }
}

#[cfg(test)]
mod tests {
    //! Policies over scans.

    use stoa_artifacts::Format;

    use super::*;

    fn scan(format: Format, imports: &[&str]) -> Scan {
        let imports = imports.iter().map(|import| (*import).to_owned()).collect();
        Scan { format, inner: BTreeSet::new(), imports, problems: BTreeSet::new(), cut_short: false }
    }

    #[test]
    fn imports_that_data_needs_are_harmless_and_others_not() {
        let policy = AdmissionPolicy { imports: ["sklearn.*".to_owned()].into(), ..AdmissionPolicy::default() };
        for harmless in [
            "collections.OrderedDict",
            "torch.FloatStorage",
            "torch.float16",
            "torch.bfloat16",
            "sklearn.tree._tree.Tree",
            "sklearn.X",
        ] {
            assert!(policy.allows_import(harmless), "{harmless}");
        }
        for other in [
            "os.system",
            "builtins.eval",
            "builtins.getattr",
            "torch.load",
            "torch.floatx",
            "torch.hub.Storage",
            "sklearnx.X",
            "sklearn:os.system",
            "torch:float16.x",
            "builtins:int.__class__",
            "torch.storage._load_from_bytes",
        ] {
            assert!(!policy.allows_import(other), "{other}");
        }
    }

    #[test]
    fn every_rule_says_which_file_and_why() {
        let evil = scan(Format::Pickle, &["os.system"]);
        let tensors = scan(Format::Safetensors, &[]);
        let mut policy = AdmissionPolicy {
            formats: [Format::Safetensors].into(),
            unsafe_pickle: Some(Action::Quarantine),
            max_file_bytes: Some(10),
            max_total_bytes: Some(15),
            licences: ["MIT".to_owned()].into(),
            document_fields: ["Url".to_owned()].into(),
            card_fields: ["license".to_owned()].into(),
            ..AdmissionPolicy::default()
        };
        let files = [Examined { path: "a.bin", scan: &evil }, Examined { path: "b.safetensors", scan: &tensors }];
        let sizes = [("a.bin", 11), ("b.safetensors", 5)];
        let verdict = policy.judge_facts(&described(r#"{"Url": "", "License": "GPL"}"#, None), sizes);
        for word in ["GPL", "lacks Url", "front matter lacks license", "16 bytes", "a.bin: 11 bytes"] {
            assert!(verdict.refusals.iter().any(|reason| reason.contains(word)), "{word}: {verdict:?}");
        }
        assert_eq!(verdict.refusals.len(), 5, "nothing of b.safetensors");
        let verdict = policy.judge_files(&files);
        assert_eq!(verdict.refusals, ["a.bin: the format Pickle is not allowed"]);
        assert_eq!(verdict.kept_out(policy.unsafe_pickle).map(|(action, _)| action), Some(Action::Refuse));
        policy = AdmissionPolicy { unsafe_pickle: Some(Action::Quarantine), ..AdmissionPolicy::default() };
        let good = described(r#"{"Url": "x"}"#, Some("---\nlicense: mit\n---\n# x\n"));
        assert_eq!(good.licence.as_deref(), Some("mit"));
        assert_eq!(policy.judge_facts(&good, sizes), Verdict::default());
        let verdict = policy.judge_files(&files);
        let (action, why) = verdict.kept_out(policy.unsafe_pickle).unwrap();
        assert_eq!((action, why.as_str()), (Action::Quarantine, "a.bin: a pickle imports os.system"));
        assert_eq!(verdict.kept_out(Some(Action::Mark)), None);
        policy.unsafe_pickle = None;
        assert!(policy.judge_files(&files).unsafe_pickles.is_empty(), "off by default");
    }
}

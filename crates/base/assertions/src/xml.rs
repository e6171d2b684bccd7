//! XML as far as assertions need it: a strict parse, and elements by name.
//!
//! INVARIANT: a document with a DTD, with processing instructions, or deeper than assertions are, does not parse; so
//! there are no entities to expand and nothing to fetch.

use uppsala::{Document, NodeId, NodeKind, Parser};

const MAX_DEPTH: u32 = 48;

/// The text is no XML that is accepted here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct XmlError;

/// Parses a document.
pub(crate) fn parse(text: &str) -> Result<Document<'_>, XmlError> {
    let parser = Parser::new().with_max_depth(MAX_DEPTH).with_forbid_dtd(true);
    let document = parser.parse(text).map_err(|_| XmlError)?;
    let odd = |node: &NodeId| matches!(document.node_kind(*node), Some(NodeKind::ProcessingInstruction(_)));
    let root = document.root();
    if document.descendants(root).iter().any(odd) {
        return Err(XmlError);
    }
    Ok(document)
}

/// An element of a document.
#[derive(Clone, Copy)]
pub(crate) struct Element<'d> {
    pub(crate) document: &'d Document<'d>,
    pub(crate) node: NodeId,
}

impl<'d> Element<'d> {
    /// The document's element.
    pub(crate) fn root(document: &'d Document<'d>) -> Option<Element<'d>> {
        document.document_element().map(|node| Element { document, node })
    }

    /// Whether it has this name.
    pub(crate) fn is(&self, namespace: &str, name: &str) -> bool {
        self.document.element(self.node).is_some_and(|element| element.matches_name_ns(namespace, name))
    }

    /// The elements right below it.
    pub(crate) fn children(&self) -> impl Iterator<Item = Element<'d>> + use<'d> {
        let document = self.document;
        let elements = document.children(self.node).into_iter().filter(move |node| document.element(*node).is_some());
        elements.map(move |node| Element { document, node })
    }

    /// Those with this name.
    pub(crate) fn named(&self, namespace: &'static str, name: &'static str) -> impl Iterator<Item = Element<'d>> {
        self.children().filter(move |child| child.is(namespace, name))
    }

    /// The one with this name; none when there is none or more than one.
    pub(crate) fn only(&self, namespace: &'static str, name: &'static str) -> Option<Element<'d>> {
        let mut found = self.named(namespace, name);
        let first = found.next()?;
        found.next().is_none().then_some(first)
    }

    /// Every element below it and itself.
    pub(crate) fn all(&self) -> impl Iterator<Item = Element<'d>> + use<'d> {
        let document = self.document;
        let below = document.descendants(self.node).into_iter().filter(move |node| document.element(*node).is_some());
        let itself = self.node;
        std::iter::once(itself)
            .chain(below.filter(move |node| *node != itself))
            .map(move |node| Element { document, node })
    }

    /// The value of an attribute without a namespace.
    pub(crate) fn attribute(&self, name: &str) -> Option<&'d str> {
        let element = self.document.element(self.node)?;
        let own = element.attributes.iter().find(|attribute| {
            *attribute.name.local_name == *name && attribute.name.namespace_uri.as_deref().is_none_or(str::is_empty)
        });
        own.map(|attribute| &*attribute.value)
    }

    /// Its text, where it holds nothing but text; without the white space around it.
    pub(crate) fn text(&self) -> Option<String> {
        let mut text = String::new();
        for child in self.document.children(self.node) {
            match self.document.node_kind(child) {
                Some(NodeKind::Text(part) | NodeKind::CData(part)) => text.push_str(part),
                Some(NodeKind::Comment(_)) => {}
                _ => return None,
            }
        }
        Some(text.trim().to_owned())
    }
}

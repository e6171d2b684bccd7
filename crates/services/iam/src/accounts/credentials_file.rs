//! AWS shared-credentials files, as far as Stoa writes them: profiles of `name = value` lines. Comments and the order
//! of profiles that Stoa does not write are kept. Pure.

/// The lines of one profile.
pub(super) type Profile = Vec<(String, String)>;

/// A file taken apart into its sections.
#[derive(Debug, Default)]
pub(super) struct CredentialsFile {
    /// Lines before the first section.
    head: Vec<String>,
    sections: Vec<(String, Vec<String>)>,
}

impl CredentialsFile {
    /// Takes any text; what is no section or value is kept as it is.
    pub(super) fn parse(text: &str) -> CredentialsFile {
        let mut file = CredentialsFile::default();
        for line in text.lines() {
            let trimmed = line.trim();
            if let Some(name) = trimmed.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                file.sections.push((name.trim().to_owned(), Vec::new()));
            } else if let Some((_, lines)) = file.sections.last_mut() {
                lines.push(line.to_owned());
            } else {
                file.head.push(line.to_owned());
            }
        }
        file
    }

    /// A value of a profile.
    pub(super) fn get(&self, profile: &str, name: &str) -> Option<&str> {
        let (_, lines) = self.sections.iter().find(|(section, _)| section == profile)?;
        lines.iter().find_map(|line| {
            let (key, value) = line.split_once('=')?;
            (key.trim() == name).then(|| value.trim())
        })
    }

    /// Replaces or adds a profile.
    pub(super) fn set(&mut self, profile: &str, values: Profile) {
        let mut lines: Vec<String> = values.into_iter().map(|(name, value)| format!("{name} = {value}")).collect();
        lines.push(String::new());
        match self.sections.iter_mut().find(|(section, _)| section == profile) {
            Some((_, old)) => *old = lines,
            None => self.sections.push((profile.to_owned(), lines)),
        }
    }

    /// Removes a profile.
    pub(super) fn remove(&mut self, profile: &str) {
        self.sections.retain(|(section, _)| section != profile);
    }

    /// The file's text.
    pub(super) fn to_text(&self) -> String {
        let mut text = String::new();
        for line in &self.head {
            text.push_str(line);
            text.push('\n');
        }
        for (name, lines) in &self.sections {
            text.push_str(&format!("[{name}]\n"));
            for line in lines {
                text.push_str(line);
                text.push('\n');
            }
        }
        text
    }
}

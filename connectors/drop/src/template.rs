//! Texts with places for columns: `{证券代码}.{市场}`.

/// A part of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Text as it stands.
    Text(String),
    /// The column of this place among those that are read.
    Column(usize),
    /// The digest of the files, as 32 hexadecimal figures.
    Digest,
    /// The line of the row.
    Line,
    /// The date in the name of the file.
    Date,
    /// The value that rows are grouped by.
    Key,
}

/// A text with places.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Template(pub Vec<Piece>);

/// What a template may name besides columns.
pub struct Names<'a> {
    pub digest: &'a str,
    pub date: &'a str,
    pub key: &'a str,
    pub line: u64,
}

impl Template {
    /// Reads a template; `column` gives the place of a column by its name.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str, column: &mut dyn FnMut(&str) -> usize) -> Result<Self, String> {
        let (mut pieces, mut rest) = (Vec::new(), text);
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').ok_or_else(|| format!("{text:?}: {{ without }}"))?;
            if !before.is_empty() {
                pieces.push(Piece::Text(before.to_owned()));
            }
            pieces.push(match name {
                "" => return Err(format!("{text:?}: {{}} names nothing")),
                "digest" => Piece::Digest,
                "line" => Piece::Line,
                "date" => Piece::Date,
                "key" => Piece::Key,
                name => Piece::Column(column(name)),
            });
            rest = after;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.to_owned()));
        }
        Ok(Template(pieces))
    }

    pub fn has(&self, piece: &Piece) -> bool {
        self.0.contains(piece)
    }

    pub fn columns(&self) -> impl Iterator<Item = usize> + '_ {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Column(at) => Some(*at),
            _ => None,
        })
    }

    /// Writes the text of a row; `false` where one of its columns is empty: then it is absent.
    pub fn fill(&self, cells: &[String], names: &Names<'_>, into: &mut String) -> bool {
        into.clear();
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => into.push_str(text),
                Piece::Column(at) if cells[*at].is_empty() => return false,
                Piece::Column(at) => into.push_str(&cells[*at]),
                Piece::Digest => into.push_str(names.digest),
                Piece::Line => into.push_str(&names.line.to_string()),
                Piece::Date => into.push_str(names.date),
                Piece::Key => into.push_str(names.key),
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates() {
        let mut columns = Vec::new();
        let mut place = |name: &str| {
            columns.push(name.to_owned());
            columns.len() - 1
        };
        let template = Template::parse("{代码}.{市场}-{date}{line}", &mut place).expect("a template");
        for bad in ["{代码", "a{}b"] {
            assert!(Template::parse(bad, &mut place).is_err());
        }
        assert_eq!(columns, ["代码", "市场"]);
        let names = Names { digest: "d", date: "20260119", key: "", line: 7 };
        let mut text = String::new();
        assert!(template.fill(&["600519".into(), "SH".into()], &names, &mut text));
        assert_eq!(text, "600519.SH-202601197");
        assert!(!template.fill(&["600519".into(), String::new()], &names, &mut text));
    }
}

//! `schema_transformation.dimensions`

use super::check_name;
use crate::config::finding::Findings;
use crate::config::grid::{ChunkLength, GridDimension};
use crate::config::node::Node;

#[derive(Debug, Default)]
pub(super) struct Dimensions<'a> {
    pub list: Vec<GridDimension>,
    /// The keys of the config, one for each of `list`.
    labels: Vec<&'a str>,
    /// None when there was an error.
    pub append: Option<usize>,
}

impl<'a> Dimensions<'a> {
    pub fn of(transform: &Node<'a>, findings: &mut Findings) -> Self {
        let mut out = Self::default();
        let Some(node) = transform.get("dimensions") else {
            findings.error(transform.at("dimensions"), "missing; write `name` and `chunk` of each dimension");
            return out;
        };
        let mut flags = Vec::new();
        let mut chunks = Vec::new();
        for (label, dimension) in node.entries(findings) {
            if dimension.object(findings).is_none() {
                continue;
            }
            let chunk = chunk(&dimension, findings);
            flags.push(dimension.get("append_dim").map(|flag| flag.flag(findings)));
            chunks.push((dimension.at("chunk"), chunk));
            // A nameless one keeps its place, so that positions agree; its error is enough.
            let name = dimension.required_text("name", "the dimension's name in the files", findings).unwrap_or_default();
            if !name.is_empty() {
                check_name(name, &dimension.at("name"), findings);
                if out.has(name) {
                    findings.error(dimension.at("name"), format!("`{name}` is a dimension already; remove one of them"));
                }
            }
            out.labels.push(label);
            out.list.push(GridDimension { name: name.to_owned(), chunk: chunk.unwrap_or(ChunkLength::Whole) });
        }
        out.append = out.growing(&flags, &node.path, findings);
        if let Some((path, Some(ChunkLength::Whole))) = out.append.map(|append| &chunks[append]) {
            findings.error(path, "the dataset grows along this dimension, so it is never whole; write a chunk length such as 100");
        }
        out
    }

    fn growing(&self, flags: &[Option<bool>], path: &str, findings: &mut Findings) -> Option<usize> {
        let mut set = flags.iter().enumerate().filter(|(_, flag)| **flag == Some(true)).map(|(index, _)| index);
        if flags.iter().any(Option::is_some) {
            let first = set.next();
            if first.is_none() || set.next().is_some() {
                findings.error(path, "exactly one dimension must have `append_dim: true`");
                return None;
            }
            return first;
        }
        let time = self.labels.iter().position(|label| *label == "time");
        match time {
            Some(_) => findings.warn(path, "no dimension has `append_dim`, so the one labelled `time` is taken"),
            None => findings.error(path, "no dimension says that the dataset grows along it; write `append_dim: true` into one"),
        }
        time
    }

    pub fn has(&self, name: &str) -> bool {
        self.list.iter().any(|dimension| dimension.name == name)
    }

    /// The name of the dimension with this label.
    pub fn labelled(&self, label: &str) -> Option<&str> {
        let index = self.labels.iter().position(|known| *known == label)?;
        Some(&self.list[index].name)
    }

    pub fn append_name(&self) -> Option<&str> {
        Some(&self.list[self.append?].name)
    }

    /// For a message.
    pub fn names(&self) -> String {
        self.list.iter().map(|dimension| dimension.name.as_str()).collect::<Vec<_>>().join(", ")
    }
}

fn chunk(dimension: &Node<'_>, findings: &mut Findings) -> Option<ChunkLength> {
    let path = dimension.at("chunk");
    let Some(node) = dimension.get("chunk") else {
        findings.warn(path, "missing, so a chunk spans the whole dimension; write -1 to say so, or a length");
        return Some(ChunkLength::Whole);
    };
    match (node.value.as_u64(), node.value.as_i64()) {
        (Some(0), _) => {
            findings.warn(path, "0 is automatic, so a chunk spans the whole dimension; write -1 to say so, or a length");
            Some(ChunkLength::Whole)
        }
        (Some(length), _) => Some(ChunkLength::Length(length)),
        (None, Some(-1)) => Some(ChunkLength::Whole),
        _ => {
            findings.error(path, format!("{} is not a chunk length; write a whole number, -1 for the whole dimension", node.value));
            None
        }
    }
}

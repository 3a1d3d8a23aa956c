//! What is worth saying of a file and costs no rows: said once, however many slabs it has.

/// Notes in the order they came up.
#[derive(Debug, Default)]
pub(super) struct Notes {
    lines: Vec<Note>,
}

#[derive(Debug, PartialEq, Eq)]
enum Note {
    Text(String),
    /// A number that grows, between two texts.
    Count {
        before: String,
        count: u64,
        after: String,
    },
}

impl Notes {
    pub(super) fn say(&mut self, text: impl Into<String>) {
        let note = Note::Text(text.into());
        if !self.lines.contains(&note) {
            self.lines.push(note);
        }
    }

    /// `before`, the sum of all counts, `after`.
    pub(super) fn count(&mut self, before: impl Into<String>, more: u64, after: impl Into<String>) {
        if more == 0 {
            return;
        }
        let (new_before, new_after) = (before.into(), after.into());
        for note in &mut self.lines {
            if let Note::Count { before, count, after } = note
                && (&*before, &*after) == (&new_before, &new_after)
            {
                *count += more;
                return;
            }
        }
        self.lines.push(Note::Count { before: new_before, count: more, after: new_after });
    }

    pub(super) fn into_lines(self) -> Vec<String> {
        let line = |note| match note {
            Note::Text(text) => text,
            Note::Count { before, count, after } => format!("{before}{count}{after}"),
        };
        self.lines.into_iter().map(line).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_stands_once_and_its_count_adds_up() {
        let mut notes = Notes::default();
        notes.count("x: ", 2, " wrapped");
        notes.say("y is null");
        notes.say("y is null");
        notes.count("x: ", 3, " wrapped");
        notes.count("z: ", 0, " wrapped");
        assert_eq!(notes.into_lines(), ["x: 5 wrapped", "y is null"]);
    }
}

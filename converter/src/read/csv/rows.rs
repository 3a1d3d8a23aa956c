//! Walks over the rows of a block and gives each wanted field to a sink.

use super::dialect::{Dialect, LongLines};
use super::scan::{After, Cursor, OpenQuote};

/// No column is wanted here.
pub(super) const UNWANTED: usize = usize::MAX;

/// Takes the fields of a row one after another.
pub(super) trait Sink {
    /// Reads the field that begins at the cursor and leaves the cursor behind it.
    fn field(&mut self, slot: usize, cursor: &mut Cursor<'_>) -> Result<(), FieldFault>;

    /// The line ended before this column.
    fn absent(&mut self, slot: usize) -> Result<(), FieldFault>;

    /// Whether it has all it wants.
    fn is_done(&self) -> bool {
        false
    }
}

/// What is wrong with a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum FieldFault {
    OpenQuote(usize),
    /// It is not what its column needs.
    Value(String),
    /// It is not what the beginning of the file promised.
    Surprise,
}

impl From<OpenQuote> for FieldFault {
    fn from(open: OpenQuote) -> Self {
        Self::OpenQuote(open.0)
    }
}

/// What is wrong with a block, and where in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    OpenQuote { at: usize },
    Value { at: usize, slot: usize, detail: String },
    Surprise,
    LongLine { at: usize, fields: usize },
}

/// What a walk has passed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Passed {
    pub rows: usize,
    pub left_out: u64,
    /// Lines with too few fields, and where the first begins.
    pub short: Option<(u64, usize)>,
    /// Where the walk stopped.
    pub end: usize,
}

/// Walks over at most `max_rows` rows. `slots` has an entry for each column of the file.
pub(super) fn walk(text: &[u8], dialect: &Dialect, slots: &[usize], max_rows: usize, sink: &mut impl Sink) -> Result<Passed, Fault> {
    let mut cursor = Cursor::new(text, dialect);
    let mut passed = Passed::default();
    loop {
        cursor.skip_lines_without_fields();
        if cursor.at_end() || passed.rows >= max_rows || sink.is_done() {
            passed.end = cursor.pos;
            return Ok(passed);
        }
        let start = cursor.pos;
        if dialect.long_lines == LongLines::LeaveOut {
            let fields = cursor.skip_record().map_err(|open| Fault::OpenQuote { at: open.0 })?;
            if fields > slots.len() {
                passed.left_out += 1;
                continue;
            }
            cursor.pos = start;
        }
        if row(&mut cursor, slots, sink)? == Length::Short {
            let (count, first) = passed.short.unwrap_or((0, start));
            passed.short = Some((count + 1, first));
        }
        passed.rows += 1;
    }
}

/// Whether a line has all its fields.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Length {
    Whole,
    Short,
}

#[inline]
fn row(cursor: &mut Cursor<'_>, slots: &[usize], sink: &mut impl Sink) -> Result<Length, Fault> {
    let start = cursor.pos;
    let mut columns = slots.iter().enumerate();
    let fault = |fault: FieldFault, at: usize, slot: usize| match fault {
        FieldFault::OpenQuote(at) => Fault::OpenQuote { at },
        FieldFault::Value(detail) => Fault::Value { at, slot, detail },
        FieldFault::Surprise => Fault::Surprise,
    };
    loop {
        let Some((_, &slot)) = columns.next() else { return rest_of_long_line(cursor, slots.len(), start) };
        let at = cursor.pos;
        if slot == UNWANTED {
            cursor.skip_field().map_err(|open| Fault::OpenQuote { at: open.0 })?;
        } else {
            sink.field(slot, cursor).map_err(|found| fault(found, at, slot))?;
        }
        if cursor.after_field() == After::Line {
            break;
        }
    }
    let length = if columns.len() == 0 { Length::Whole } else { Length::Short };
    for (_, &slot) in columns.filter(|(_, slot)| **slot != UNWANTED) {
        sink.absent(slot).map_err(|found| fault(found, start, slot))?;
    }
    Ok(length)
}

#[cold]
fn rest_of_long_line(cursor: &mut Cursor<'_>, columns: usize, start: usize) -> Result<Length, Fault> {
    let more = cursor.skip_record().map_err(|open| Fault::OpenQuote { at: open.0 })?;
    match cursor.dialect.long_lines {
        LongLines::Truncate => Ok(Length::Whole),
        LongLines::Refuse | LongLines::LeaveOut => Err(Fault::LongLine { at: start, fields: columns + more }),
    }
}

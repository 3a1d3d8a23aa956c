//! The second pass: fields become the values of Arrow columns.

use std::sync::Arc;

use arrow_array::builder::BooleanBufferBuilder;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimestampMillisecondType,
    TimestampNanosecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{ArrayRef, BooleanArray, NullArray, PrimitiveArray, StringArray};
use arrow_buffer::{Buffer, NullBuffer, NullBufferBuilder, OffsetBuffer, ScalarBuffer};
use arrow_schema::{ArrowError, DataType, TimeUnit};

use super::dialect::{Dialect, Rules};
use super::instants::{QuickTime, is_not_a_time, iso_date, iso_instant};
use super::kind::{BoolWords, Kind, Role, Wanted, Whole};
use super::numbers;
use super::rows::{FieldFault, Sink};
use super::scan::Cursor;

enum Store {
    /// Integers of all widths but one, instants, dates.
    Signed(Vec<i64>),
    Unsigned(Vec<u64>),
    Float(Vec<f64>),
    Single(Vec<f32>),
    Bool(BooleanBufferBuilder),
    Text {
        offsets: Vec<i32>,
        bytes: Vec<u8>,
    },
    Rows(usize),
}

/// What a field gave its column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Filled {
    Value,
    /// Nothing yet: a gap is to be put there.
    Missing,
}

/// How sure a column's type is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trust {
    Known,
    /// What does not fit it is a surprise.
    Guessed,
    /// So is a gap.
    GuessedWithoutGaps,
}

struct Column<'a> {
    wanted: &'a Wanted,
    kind: Kind,
    quick: bool,
    trust: Trust,
    joint: Option<u8>,
    zoned: bool,
    quick_time: QuickTime,
    nulls: NullBufferBuilder,
    store: Store,
}

/// What the columns are.
#[derive(Clone, Copy)]
pub(super) struct Types<'a> {
    pub kinds: &'a [Kind],
    /// Told by the beginning of the file alone.
    pub guessed: bool,
}

/// Builds the columns of one block.
pub(super) struct Columns<'a> {
    dialect: &'a Dialect,
    words: &'a BoolWords,
    empty_is_text: bool,
    all: Vec<Column<'a>>,
}

impl<'a> Columns<'a> {
    pub fn new(
        wanted: &'a [Wanted],
        types: Types<'_>,
        dialect: &'a Dialect,
        words: &'a BoolWords,
        empty_is_text: bool,
        rows: usize,
    ) -> Self {
        let column = |(wanted, &kind): (&'a Wanted, &Kind)| {
            let (joint, zoned) = match kind {
                Kind::Time { format, .. } => (format.quick_joint(), format.has_zone()),
                _ => (None, false),
            };
            let store = match kind {
                Kind::Null => Store::Rows(0),
                Kind::Whole(Whole::U64) => Store::Unsigned(Vec::with_capacity(rows)),
                Kind::Whole(_) | Kind::Time { .. } | Kind::NoTime | Kind::IsoTime(_) | Kind::IsoDate => {
                    Store::Signed(Vec::with_capacity(rows))
                }
                Kind::WholeWithGaps | Kind::Float64 => Store::Float(Vec::with_capacity(rows)),
                Kind::Float32 => Store::Single(Vec::with_capacity(rows)),
                Kind::Bool => Store::Bool(BooleanBufferBuilder::new(rows)),
                Kind::Text | Kind::TextAsIs => Store::Text { offsets: std::iter::once(0).collect(), bytes: Vec::with_capacity(rows * 8) },
            };
            let quick = !wanted.missing.ambiguous && dialect.is_plain() && dialect.thousands.is_none();
            let trust = match (wanted.role, kind) {
                (Role::Inferred, Kind::Whole(_)) if types.guessed => Trust::GuessedWithoutGaps,
                (Role::Inferred | Role::Date, _) if types.guessed => Trust::Guessed,
                _ => Trust::Known,
            };
            Column {
                wanted,
                kind,
                quick,
                trust,
                joint,
                zoned,
                quick_time: QuickTime::default(),
                nulls: NullBufferBuilder::new(rows),
                store,
            }
        };
        Self { dialect, words, empty_is_text, all: wanted.iter().zip(types.kinds).map(column).collect() }
    }

    pub fn finish(self) -> Result<Vec<ArrayRef>, ArrowError> {
        self.all.into_iter().map(Column::finish).collect()
    }
}

impl Column<'_> {
    /// Takes a value in its usual form straight from the bytes; says where it ends.
    #[inline]
    fn quickly(&mut self, cursor: &Cursor<'_>, decimal: u8) -> Option<usize> {
        let end = match (&mut self.store, self.kind) {
            (Store::Float(values), Kind::Float64) => {
                let (value, end) = numbers::quick_float(cursor, decimal)?;
                values.push(value);
                end
            }
            (Store::Float(values), _) => {
                let (value, end) = numbers::quick_integer(cursor)?;
                values.push(value as f64);
                end
            }
            (Store::Signed(values), Kind::Whole(Whole::I64)) => {
                let (value, end) = numbers::quick_integer(cursor)?;
                values.push(value);
                end
            }
            (Store::Signed(values), Kind::Whole(whole)) => {
                let (value, end) = numbers::quick_integer(cursor)?;
                let (min, max) = whole.range();
                if !(min..=max).contains(&i128::from(value)) {
                    return None;
                }
                values.push(value);
                end
            }
            (Store::Signed(values), Kind::Time { .. }) => {
                let (value, joint) = self.quick_time.read(&cursor.bytes[cursor.pos..])?;
                let end = cursor.pos + 19;
                let end = if self.zoned && cursor.bytes.get(end) == Some(&b'Z') { end + 1 } else { end };
                if Some(joint) != self.joint || !cursor.ends_at(end) {
                    return None;
                }
                values.push(value);
                end
            }
            (Store::Signed(values), Kind::IsoTime(TimeUnit::Nanosecond)) => {
                let (value, joint) = self.quick_time.read(&cursor.bytes[cursor.pos..])?;
                let end = cursor.pos + 19;
                if !matches!(joint, b' ' | b'T') || !cursor.ends_at(end) {
                    return None;
                }
                values.push(value);
                end
            }
            _ => return None,
        };
        self.nulls.append_non_null();
        Some(end)
    }

    #[inline]
    fn null(&mut self) -> Result<(), FieldFault> {
        if self.trust == Trust::GuessedWithoutGaps {
            return Err(FieldFault::Surprise);
        }
        match &mut self.store {
            Store::Signed(values) => values.push(0),
            Store::Unsigned(values) => values.push(0),
            Store::Float(values) => values.push(0.0),
            Store::Single(values) => values.push(0.0),
            Store::Bool(values) => values.append(false),
            Store::Text { offsets, bytes } => offsets.push(bytes.len() as i32),
            Store::Rows(rows) => *rows += 1,
        }
        self.nulls.append_null();
        Ok(())
    }

    #[inline]
    fn text(&mut self, text: &[u8]) {
        if let Store::Text { offsets, bytes } = &mut self.store {
            bytes.extend_from_slice(text);
            offsets.push(bytes.len() as i32);
        }
        self.nulls.append_non_null();
    }

    /// Takes a value in any form; none if it is no value of this kind.
    fn read(&mut self, text: &[u8], dialect: &Dialect, words: &BoolWords) -> Option<Filled> {
        let pandas = dialect.rules == Rules::Pandas;
        let text = match self.kind {
            Kind::Whole(_) | Kind::Float64 | Kind::Float32 | Kind::WholeWithGaps if !pandas => match numbers::polars_text(text) {
                Some(text) => text,
                None => return Some(Filled::Missing),
            },
            _ => text,
        };
        let whole = |range: (i128, i128)| {
            if pandas {
                numbers::pandas_integer(text, dialect.thousands, range.0, range.1).ok()
            } else {
                numbers::polars_integer(text, range.0, range.1)
            }
        };
        match (&mut self.store, self.kind) {
            (Store::Unsigned(values), Kind::Whole(kind)) => values.push(whole(kind.range())? as u64),
            (Store::Signed(values), Kind::Whole(kind)) => values.push(whole(kind.range())? as i64),
            (Store::Float(values), Kind::WholeWithGaps) => values.push(whole(Whole::I64.range())? as f64),
            (Store::Float(values), _) => {
                let value = if pandas {
                    numbers::pandas_float(text, dialect.decimal, dialect.thousands)?
                } else {
                    numbers::polars_float(text, dialect.decimal)?
                };
                // A gap is NaN in both libraries.
                if value.is_nan() || self.wanted.missing.numbers.contains(&value) {
                    return Some(Filled::Missing);
                }
                values.push(value);
            }
            (Store::Single(values), _) => {
                let value: f32 = if pandas {
                    numbers::pandas_float(text, dialect.decimal, dialect.thousands)? as f32
                } else {
                    numbers::polars_float(text, dialect.decimal)?
                };
                if value.is_nan() || self.wanted.missing.numbers.contains(&f64::from(value)) {
                    return Some(Filled::Missing);
                }
                values.push(value);
            }
            (Store::Bool(values), _) => values.append(words.read(text)?),
            (Store::Signed(values), Kind::Time { format, .. }) => {
                if is_not_a_time(text) {
                    return Some(Filled::Missing);
                }
                values.push(format.parse(text)?.ns);
            }
            (Store::Signed(values), Kind::IsoTime(unit)) => {
                let ns = iso_instant(text)?;
                values.push(if unit == TimeUnit::Millisecond { ns.div_euclid(1_000_000) } else { ns });
            }
            (Store::Signed(values), Kind::IsoDate) => values.push(iso_date(text)?.into()),
            _ => return Some(Filled::Missing),
        }
        self.nulls.append_non_null();
        Some(Filled::Value)
    }

    fn finish(mut self) -> Result<ArrayRef, ArrowError> {
        fn narrow<T: ArrowPrimitiveType>(values: &[i64], nulls: Option<NullBuffer>, one: impl Fn(i64) -> T::Native) -> ArrayRef {
            Arc::new(PrimitiveArray::<T>::new(values.iter().map(|v| one(*v)).collect(), nulls))
        }
        let nulls = self.nulls.finish();
        Ok(match (self.store, self.kind) {
            (Store::Signed(values), Kind::Whole(whole)) => match whole {
                Whole::I8 => narrow::<Int8Type>(&values, nulls, |v| v as i8),
                Whole::I16 => narrow::<Int16Type>(&values, nulls, |v| v as i16),
                Whole::I32 => narrow::<Int32Type>(&values, nulls, |v| v as i32),
                Whole::U8 => narrow::<UInt8Type>(&values, nulls, |v| v as u8),
                Whole::U16 => narrow::<UInt16Type>(&values, nulls, |v| v as u16),
                Whole::U32 => narrow::<UInt32Type>(&values, nulls, |v| v as u32),
                Whole::I64 | Whole::U64 => Arc::new(PrimitiveArray::<Int64Type>::new(values.into(), nulls)),
            },
            (Store::Signed(values), Kind::IsoDate) => narrow::<Date32Type>(&values, nulls, |v| v as i32),
            (Store::Signed(values), Kind::IsoTime(TimeUnit::Millisecond)) => {
                Arc::new(PrimitiveArray::<TimestampMillisecondType>::new(values.into(), nulls))
            }
            (Store::Signed(values), kind) => {
                let zone = match kind.data_type() {
                    DataType::Timestamp(_, zone) => zone,
                    _ => None,
                };
                Arc::new(PrimitiveArray::<TimestampNanosecondType>::new(values.into(), nulls).with_timezone_opt(zone))
            }
            (Store::Unsigned(values), _) => Arc::new(PrimitiveArray::<UInt64Type>::new(values.into(), nulls)),
            (Store::Float(values), _) => Arc::new(PrimitiveArray::<Float64Type>::new(values.into(), nulls)),
            (Store::Single(values), _) => Arc::new(PrimitiveArray::<Float32Type>::new(values.into(), nulls)),
            (Store::Bool(mut values), _) => Arc::new(BooleanArray::new(values.finish(), nulls)),
            (Store::Text { offsets, bytes }, _) => {
                let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
                Arc::new(StringArray::try_new(offsets, Buffer::from_vec(bytes), nulls)?)
            }
            (Store::Rows(rows), _) => Arc::new(NullArray::new(rows)),
        })
    }
}

impl Sink for Columns<'_> {
    #[inline]
    fn field(&mut self, slot: usize, cursor: &mut Cursor<'_>) -> Result<(), FieldFault> {
        let column = &mut self.all[slot];
        if column.quick
            && let Some(end) = column.quickly(cursor, self.dialect.decimal)
        {
            cursor.pos = end;
            return Ok(());
        }
        let field = cursor.field()?;
        let text = field.text.as_ref();
        let pandas = self.dialect.rules == Rules::Pandas;
        let is_text = matches!(column.kind, Kind::Text | Kind::TextAsIs);
        let empty = !pandas && text.is_empty() && if is_text { !field.quoted && !self.empty_is_text } else { true };
        if empty || (column.kind != Kind::TextAsIs && column.wanted.missing.contains(text)) {
            column.null()?;
        } else if is_text {
            column.text(text);
        } else {
            match column.read(text, self.dialect, self.words) {
                Some(Filled::Value) => {}
                Some(Filled::Missing) => column.null()?,
                None if column.trust != Trust::Known => return Err(FieldFault::Surprise),
                None => return Err(unreadable(text, column.kind)),
            }
        }
        Ok(())
    }

    fn absent(&mut self, slot: usize) -> Result<(), FieldFault> {
        let column = &mut self.all[slot];
        let is_text = matches!(column.kind, Kind::Text | Kind::TextAsIs);
        let as_text = column.kind == Kind::TextAsIs || (is_text && self.empty_is_text);
        if !as_text && (self.dialect.rules == Rules::Polars || column.wanted.missing.contains(b"")) {
            column.null()?;
        } else if is_text {
            column.text(b"");
        } else if column.read(b"", self.dialect, self.words) == Some(Filled::Missing) {
            column.null()?;
        } else if column.trust != Trust::Known {
            return Err(FieldFault::Surprise);
        } else {
            return Err(unreadable(b"", column.kind));
        }
        Ok(())
    }
}

#[cold]
fn unreadable(text: &[u8], kind: Kind) -> FieldFault {
    let shown: String = String::from_utf8_lossy(text).chars().take(80).collect();
    let advice = match kind {
        Kind::Whole(_) => "write the column's type as `double` or `string`, or name the text as a missing value",
        Kind::IsoTime(_) | Kind::IsoDate => "times are read as `2020-01-31` or `2020-01-31T12:00:00`; write the column's type as `string`",
        _ => "write the column's type as `string`, or name the text as a missing value",
    };
    FieldFault::Value(format!("{shown:?} is no {}; {advice}", kind.data_type()))
}

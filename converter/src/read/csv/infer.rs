//! The first pass of pandas' rules: what each column is, decided over the whole file.

use super::dialect::Dialect;
use super::instants::{DateFormat, QuickTime, is_not_a_time};
use super::kind::{BoolWords, ColumnZone, Kind, Role, Wanted, Whole};
use super::numbers::{self, NotAnInteger};
use super::rows::{FieldFault, Sink};
use super::scan::Cursor;

/// What a column can still be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Whole,
    Float,
    Bool,
    Text,
    /// Text that is asked for, and none seen yet.
    NoText,
    Date,
}

/// The first value that rules a type out: its block, and why.
type First = Option<(u64, NotAnInteger)>;

fn earliest(one: First, two: First) -> First {
    match (one, two) {
        (Some(a), Some(b)) => Some(if b.0 < a.0 { b } else { a }),
        (one, two) => one.or(two),
    }
}

/// What has been seen of a column.
#[derive(Clone, Debug)]
#[allow(clippy::struct_excessive_bools)] // each is a fact of its own
struct Guess {
    state: State,
    quick: bool,
    seen: bool,
    missing: bool,
    negative: bool,
    no_signed: First,
    no_unsigned: First,
    float: bool,
    boolean: bool,
    format: Option<DateFormat>,
    joint: Option<u8>,
    date: bool,
    zone: Option<i32>,
    zones_differ: bool,
    quick_time: QuickTime,
}

/// Looks at every value of the wanted columns. Each thread has its own; [`Inference::merge`] puts them together.
#[derive(Clone)]
pub(super) struct Inference<'a> {
    wanted: &'a [Wanted],
    dialect: &'a Dialect,
    words: &'a BoolWords,
    guesses: Vec<Guess>,
    /// The block that is looked at.
    pub sequence: u64,
    pub rows: u64,
}

impl<'a> Inference<'a> {
    /// `formats` are those of the first values of the date columns.
    pub fn new(wanted: &'a [Wanted], dialect: &'a Dialect, words: &'a BoolWords, formats: &[FirstValue]) -> Self {
        let guess = |(column, first): (&Wanted, &FirstValue)| Guess {
            state: match (column.role, first) {
                (Role::Inferred, _) => State::Whole,
                (Role::Date, FirstValue::Date(_)) => State::Date,
                (Role::Forced(Kind::Text), _) => State::NoText,
                (Role::Date | Role::Forced(_), _) => State::Text,
            },
            quick: !column.missing.ambiguous && dialect.is_plain() && dialect.thousands.is_none() && words.is_empty(),
            seen: *first == FirstValue::NoDate,
            missing: false,
            negative: false,
            no_signed: None,
            no_unsigned: None,
            float: true,
            boolean: true,
            format: first.format(),
            joint: first.format().and_then(DateFormat::quick_joint),
            date: true,
            zone: None,
            zones_differ: false,
            quick_time: QuickTime::default(),
        };
        Self { wanted, dialect, words, guesses: wanted.iter().zip(formats).map(guess).collect(), sequence: 0, rows: 0 }
    }

    pub fn merge(&mut self, other: &Self) {
        self.rows += other.rows;
        for (one, two) in self.guesses.iter_mut().zip(&other.guesses) {
            one.date &= two.date && (!one.seen || !two.seen || one.zone.is_some() == two.zone.is_some());
            one.seen |= two.seen;
            one.missing |= two.missing;
            one.negative |= two.negative;
            one.no_signed = earliest(one.no_signed, two.no_signed);
            one.no_unsigned = earliest(one.no_unsigned, two.no_unsigned);
            one.float &= two.float;
            one.boolean &= two.boolean;
            one.zones_differ |= two.zones_differ || (one.zone.is_some() && two.zone.is_some() && one.zone != two.zone);
            one.zone = one.zone.or(two.zone);
        }
    }

    /// Whether nothing that may come can change a type without being noticed when it is read as that type.
    pub fn is_settled(&self) -> bool {
        self.wanted.iter().zip(&self.guesses).all(|(column, guess)| guess.is_settled(column.role))
    }

    /// What each column is.
    pub fn kinds(&self) -> Vec<Kind> {
        self.wanted.iter().zip(&self.guesses).map(|(column, guess)| guess.kind(column.role, self.rows)).collect()
    }
}

impl Guess {
    fn kind(&self, role: Role, rows: u64) -> Kind {
        match (role, self.format) {
            // Objects of which none has a value.
            (Role::Forced(Kind::Text), _) if !self.seen => Kind::Null,
            (Role::Forced(kind), _) => kind,
            _ if rows == 0 => Kind::Null,
            (Role::Date, Some(format)) if self.date => {
                // Instants are the same in every zone; several in one column are told in UTC.
                let zone = match (self.zone, self.zones_differ) {
                    (None, _) => ColumnZone::Naive,
                    (Some(minutes), false) => ColumnZone::Fixed(minutes),
                    (Some(_), true) => ColumnZone::Fixed(0),
                };
                Kind::Time { format, zone }
            }
            (Role::Date, _) if !self.seen => Kind::NoTime,
            (Role::Date, _) => Kind::Text,
            (Role::Inferred, _) => self.inferred(),
        }
    }

    fn is_settled(&self, role: Role) -> bool {
        match role {
            Role::Forced(Kind::Text) => self.seen,
            Role::Forced(_) => true,
            // Zones may differ further on, and only the whole file tells.
            Role::Date => self.seen && self.zone.is_none() && (!self.date || self.format.is_some_and(|format| !format.has_zone())),
            Role::Inferred => {
                let kind = self.inferred();
                self.seen && matches!(kind, Kind::Whole(Whole::I64) | Kind::WholeWithGaps | Kind::Float64 | Kind::Bool | Kind::Text)
            }
        }
    }

    /// pandas tries int64, then uint64 if a value was too large, then float64, bool, text.
    fn inferred(&self) -> Kind {
        let why = match (self.no_signed, self.no_unsigned) {
            (None, _) if !self.seen => return Kind::Float64,
            (None, _) if self.missing => return Kind::WholeWithGaps,
            (None, _) => return Kind::Whole(Whole::I64),
            (Some((_, NotAnInteger::TooLarge)), None) if self.negative || self.missing => return Kind::TextAsIs,
            (Some((_, NotAnInteger::TooLarge)), None) => return Kind::Whole(Whole::U64),
            (Some((_, NotAnInteger::TooLarge)), Some((_, why))) | (Some((_, why)), _) => why,
        };
        match why {
            NotAnInteger::Invalid if self.float => Kind::Float64,
            NotAnInteger::Invalid if self.boolean => Kind::Bool,
            NotAnInteger::Invalid | NotAnInteger::TooLarge => Kind::Text,
        }
    }

    fn see(&mut self, text: &[u8], sequence: u64, dialect: &Dialect, words: &BoolWords) {
        match self.state {
            State::Text => {}
            State::NoText => (self.seen, self.state) = (true, State::Text),
            State::Date => self.look_for_date(text),
            State::Whole | State::Float | State::Bool => self.look(text, sequence, dialect, words),
        }
    }

    fn look(&mut self, text: &[u8], sequence: u64, dialect: &Dialect, words: &BoolWords) {
        self.seen = true;
        let invalid = Some((sequence, NotAnInteger::Invalid));
        let whole = if self.no_signed.is_none() || self.no_unsigned.is_none() {
            numbers::pandas_integer(text, dialect.thousands, i128::MIN, i128::MAX).ok()
        } else {
            None
        };
        if let Some(value) = whole {
            self.negative |= value < 0;
            let too_large = Some((sequence, NotAnInteger::TooLarge));
            if i64::try_from(value).is_err() {
                self.no_signed = earliest(self.no_signed, too_large);
            }
            if value > i128::from(u64::MAX) {
                self.no_unsigned = earliest(self.no_unsigned, too_large);
            }
        } else {
            self.no_signed = earliest(self.no_signed, invalid);
            // pandas looks no further than the sign when it tries uint64.
            if text.trim_ascii_start().starts_with(b"-") {
                self.negative = true;
            } else {
                self.no_unsigned = earliest(self.no_unsigned, invalid);
            }
        }
        let is_number = whole.is_some_and(|value| i64::try_from(value).is_ok());
        self.float &= is_number || numbers::pandas_float(text, dialect.decimal, dialect.thousands).is_some();
        self.boolean &= words.read(text).is_some();
        self.state = match (self.no_signed, self.no_unsigned) {
            (None, _) | (Some((_, NotAnInteger::TooLarge)), None) => State::Whole,
            _ if self.float => State::Float,
            _ if self.boolean => State::Bool,
            _ => State::Text,
        };
    }

    fn look_for_date(&mut self, text: &[u8]) {
        if is_not_a_time(text) {
            return;
        }
        match self.format.and_then(|format| format.parse(text)) {
            // Times with and without a zone do not go together.
            Some(instant) if !self.seen || self.zone.is_some() == instant.zone.is_some() => {
                self.zones_differ |= self.seen && self.zone != instant.zone;
                self.zone = instant.zone;
            }
            _ => (self.date, self.state) = (false, State::Text),
        }
        self.seen = true;
    }

    /// Passes a value that is quickly seen to be nothing new.
    #[inline]
    fn quickly(&mut self, cursor: &Cursor<'_>, decimal: u8) -> Option<usize> {
        match self.state {
            State::Whole => {
                let (value, end) = numbers::quick_integer(cursor)?;
                (self.seen, self.boolean) = (true, false);
                self.negative |= value < 0;
                Some(end)
            }
            // The first value without a sign has more to say.
            State::Float if self.no_unsigned.is_none() && cursor.bytes.get(cursor.pos) != Some(&b'-') => None,
            State::Float => numbers::quick_float(cursor, decimal).map(|(_, end)| end),
            State::Date => {
                let (_, joint) = self.quick_time.read(cursor.bytes.get(cursor.pos..)?)?;
                let end = cursor.pos + 19;
                let zone = if cursor.bytes.get(end) == Some(&b'Z') { Some(0) } else { None };
                let end = end + usize::from(zone.is_some());
                let known = self.seen && zone == self.zone && Some(joint) == self.joint;
                (known && cursor.ends_at(end)).then_some(end)
            }
            State::Bool | State::Text | State::NoText => None,
        }
    }
}

impl Sink for Inference<'_> {
    #[inline]
    fn field(&mut self, slot: usize, cursor: &mut Cursor<'_>) -> Result<(), FieldFault> {
        let guess = &mut self.guesses[slot];
        if guess.state == State::Text {
            return Ok(cursor.skip_field()?);
        }
        if guess.quick
            && let Some(end) = guess.quickly(cursor, self.dialect.decimal)
        {
            cursor.pos = end;
            return Ok(());
        }
        let field = cursor.field()?;
        if self.wanted[slot].missing.contains(&field.text) {
            guess.missing = true;
        } else {
            guess.see(&field.text, self.sequence, self.dialect, self.words);
        }
        Ok(())
    }

    fn absent(&mut self, slot: usize) -> Result<(), FieldFault> {
        let guess = &mut self.guesses[slot];
        if self.wanted[slot].missing.contains(b"") {
            guess.missing = true;
        } else {
            guess.see(b"", self.sequence, self.dialect, self.words);
        }
        Ok(())
    }
}

/// What the first value of a date column says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FirstValue {
    /// There is none, or the column is no date column.
    Absent,
    Date(DateFormat),
    NoDate,
}

impl FirstValue {
    fn format(self) -> Option<DateFormat> {
        match self {
            Self::Date(format) => Some(format),
            Self::Absent | Self::NoDate => None,
        }
    }
}

/// Catches the first value of each date column.
pub(super) struct FirstValues<'a> {
    wanted: &'a [Wanted],
    dayfirst: bool,
    pub found: Vec<FirstValue>,
}

impl<'a> FirstValues<'a> {
    pub fn new(wanted: &'a [Wanted], dayfirst: bool) -> Self {
        Self { wanted, dayfirst, found: vec![FirstValue::Absent; wanted.len()] }
    }
}

impl Sink for FirstValues<'_> {
    fn field(&mut self, slot: usize, cursor: &mut Cursor<'_>) -> Result<(), FieldFault> {
        let field = cursor.field()?;
        let column = &self.wanted[slot];
        let value = !column.missing.contains(&field.text) && !is_not_a_time(&field.text);
        if column.role == Role::Date && self.found[slot] == FirstValue::Absent && value {
            self.found[slot] = DateFormat::guess(&field.text, self.dayfirst).map_or(FirstValue::NoDate, FirstValue::Date);
        }
        Ok(())
    }

    fn absent(&mut self, _slot: usize) -> Result<(), FieldFault> {
        Ok(())
    }

    fn is_done(&self) -> bool {
        self.wanted.iter().zip(&self.found).all(|(column, found)| column.role != Role::Date || *found != FirstValue::Absent)
    }
}

//! Which columns of the file are read, and how each gets its type.

use crds::config::csv::{ColumnRef, DateColumns, MissingTexts, PandasOptions, PolarsOptions};
use crds::config::{CsvConfig, VariableSchema};

use super::dialect::Dialect;
use super::kind::{BoolWords, Kind, Role, Wanted};
use super::missing::Missing;
use super::rows::UNWANTED;
use crate::read::ReadError;

/// The columns that are read.
pub(super) struct Selection {
    /// In file order.
    pub wanted: Vec<Wanted>,
    /// For each column of the file, its place among the wanted ones.
    pub slots: Vec<usize>,
    pub index: Option<String>,
    pub words: BoolWords,
    pub dayfirst: bool,
    pub empty_is_text: bool,
}

/// Chooses among `names`. Without a schema every column is read.
pub(super) fn select(
    names: &[String],
    config: &CsvConfig,
    schema: Option<&[VariableSchema]>,
    dialect: &Dialect,
) -> Result<Selection, ReadError> {
    let known = |name: &str| schema.is_none_or(|schema| schema.iter().any(|column| column.name == name));
    let selection = match config {
        CsvConfig::Pandas(options) => pandas(names, options, &known)?,
        CsvConfig::Polars(options) => polars(names, options, schema, &known)?,
    };
    if selection.wanted.is_empty() {
        return Err(ReadError::CsvColumns(no_column(names, dialect)));
    }
    Ok(selection)
}

/// Nothing that is wanted is there: most often the delimiter is another one.
fn no_column(names: &[String], dialect: &Dialect) -> String {
    let shown: Vec<String> = names.iter().take(20).map(|name| format!("{:?}", name.chars().take(80).collect::<String>())).collect();
    let found =
        format!("with the delimiter {:?} the file has {} column(s): {}", char::from(dialect.delimiter), names.len(), shown.join(", "));
    let count = |byte: char| names.first().map_or(0, |name| name.matches(byte).count());
    let other = [',', ';', '\t', '|'].into_iter().filter(|c| names.len() == 1 && count(*c) > 0).max_by_key(|c| count(*c));
    match other {
        Some(other) => format!("{found}; its lines are divided by {other:?}: set the delimiter in `csv_config` to that"),
        None => format!("{found}; none of them is in the config's `schema`"),
    }
}

fn find(names: &[String], used: &[usize], column: &ColumnRef, option: &str) -> Result<usize, ReadError> {
    let found = match column {
        ColumnRef::Name(name) => used.iter().copied().find(|&i| names[i] == *name),
        ColumnRef::Position(position) => used.get(*position).copied(),
    };
    found.ok_or_else(|| {
        let column = match column {
            ColumnRef::Name(name) => format!("{name:?}"),
            ColumnRef::Position(position) => format!("number {position}"),
        };
        let names: Vec<String> = used.iter().take(40).map(|&i| format!("{:?}", names[i])).collect();
        ReadError::CsvColumns(format!("`{option}` names the column {column}, which the file does not have; it has {}", names.join(", ")))
    })
}

/// Positions of the columns that `usecols` or `columns` leave, in file order.
fn used(names: &[String], only: Option<&[ColumnRef]>, option: &str) -> Result<Vec<usize>, ReadError> {
    let all: Vec<usize> = (0..names.len()).collect();
    let Some(only) = only else { return Ok(all) };
    let mut used = only.iter().map(|column| find(names, &all, column, option)).collect::<Result<Vec<_>, _>>()?;
    used.sort_unstable();
    used.dedup();
    Ok(used)
}

fn pandas(names: &[String], options: &PandasOptions, known: &dyn Fn(&str) -> bool) -> Result<Selection, ReadError> {
    let used = used(names, options.usecols.as_deref(), "usecols")?;
    let index = options.index_col.as_ref().map(|column| find(names, &used, column, "index_col")).transpose()?;
    let dates = match &options.parse_dates {
        DateColumns::None => Vec::new(),
        DateColumns::Index => index.into_iter().collect(),
        DateColumns::These(columns) => {
            columns.iter().map(|column| find(names, &used, column, "parse_dates")).collect::<Result<Vec<_>, _>>()?
        }
    };
    let missing = |name: &str| match (options.na_filter, options.na_values.by_column.is_empty()) {
        (false, _) => Missing::none(),
        (true, true) => Missing::pandas(&options.na_values.everywhere, options.keep_default_na, true),
        (true, false) => {
            let given = options.na_values.by_column.get(name).map_or(&[][..], Vec::as_slice);
            Missing::pandas(given, options.keep_default_na, false)
        }
    };
    let role = |position: usize| match options.dtype.by_column.get(&names[position]).copied().or(options.dtype.everywhere) {
        _ if dates.contains(&position) => Role::Date,
        Some(column_type) => Role::Forced(Kind::forced(column_type)),
        None => Role::Inferred,
    };
    let wanted = used.iter().copied().filter(|&i| Some(i) == index || known(&names[i]));
    let wanted =
        wanted.map(|i| Wanted { name: names[i].clone(), position: i, role: role(i), missing: missing(&names[i]) }).collect::<Vec<_>>();
    let bytes = |texts: &[String]| texts.iter().map(|text| text.as_bytes().to_vec()).collect();
    Ok(Selection {
        slots: slots(names.len(), &wanted),
        wanted,
        index: index.map(|i| names[i].clone()),
        words: BoolWords { yes: bytes(&options.true_values), no: bytes(&options.false_values) },
        dayfirst: options.dayfirst,
        empty_is_text: false,
    })
}

fn polars(
    names: &[String],
    options: &PolarsOptions,
    schema: Option<&[VariableSchema]>,
    known: &dyn Fn(&str) -> bool,
) -> Result<Selection, ReadError> {
    let used = used(names, options.columns.as_deref(), "columns")?;
    let MissingTexts { everywhere, by_column } = &options.null_values;
    let missing = |name: &str| Missing::polars(by_column.get(name).map_or(everywhere.as_slice(), Vec::as_slice));
    let role = |name: &str| match schema.and_then(|schema| schema.iter().find(|column| column.name == name)) {
        Some(column) => Role::Forced(Kind::forced(column.column_type)),
        None => Role::Inferred,
    };
    let wanted = used.iter().copied().filter(|&i| known(&names[i]));
    let wanted = wanted
        .map(|i| Wanted { name: names[i].clone(), position: i, role: role(&names[i]), missing: missing(&names[i]) })
        .collect::<Vec<_>>();
    Ok(Selection {
        slots: slots(names.len(), &wanted),
        wanted,
        index: None,
        words: BoolWords::default(),
        dayfirst: false,
        empty_is_text: options.missing_utf8_is_empty_string,
    })
}

fn slots(columns: usize, wanted: &[Wanted]) -> Vec<usize> {
    let mut slots = vec![UNWANTED; columns];
    for (slot, column) in wanted.iter().enumerate() {
        slots[column.position] = slot;
    }
    slots
}

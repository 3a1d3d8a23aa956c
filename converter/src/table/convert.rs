//! One file, slab by slab, in the order of spec 1.3.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::mpsc::sync_channel;

use arrow_array::RecordBatch;
use crds::config::{DatasetConfig, Partition};
use crds::wire::Reason;

use super::columns::{self, Facts, Used, listed};
use super::input::TableInput;
use super::layout::Layout;
use super::level::{self, Codes};
use super::levels::{self, Level, Levels};
use super::notes::Notes;
use super::rows::{Rows, TableRows, VariableRows};
use super::source::{Functions, Sources};
use super::spool::{SlabColumns, Spool};
use super::{Allowance, Content, Conversion, FileError, FileReport, OpenFile, Sink, estimate, partition, unpack};
use crate::read::csv::Look;
use crate::read::{self, ReadError, Reader, WithUnpacked};
use crate::source::FileName;

/// Converts a file. What the schema's type cannot hold is known only once all slabs were seen; where
/// the incumbent then keeps a column's own type, the file is gone through again.
pub(super) fn run(
    conversion: &Conversion,
    name: &FileName,
    file: &OpenFile,
    allowance: Allowance<'_>,
    sink: &mut Sink,
) -> Result<FileReport, FileError> {
    let mut facts = Facts::default();
    let mut look = if let Content::Table(input) = &file.content { input.first_look() } else { Look::Whole };
    loop {
        let known = facts.clone();
        let mut pass = Pass::new(conversion, name, allowance, &mut facts);
        match &file.content {
            Content::Variables(reader) => pass.variables(reader.as_ref(), file.length)?,
            Content::Table(input) => match pass.table(input, look) {
                Err(FileError::Read(ReadError::Surprise)) if look != Look::Whole => {
                    (facts, look) = (Facts::default(), Look::Whole);
                    continue;
                }
                done => done?,
            },
        }
        let Pass { report, spool, slabs, notes, .. } = pass;
        if slabs > 1 && facts != known {
            continue;
        }
        return finish(report, spool, notes, sink);
    }
}

fn finish(mut report: FileReport, spool: Spool<'_>, notes: Notes, sink: &mut Sink) -> Result<FileReport, FileError> {
    spool.objects(&mut |object| {
        report.rows += object.rows;
        sink(object)
    })?;
    report.notes = notes.into_lines();
    Ok(report)
}

/// One time through a file.
struct Pass<'a, 'f> {
    conversion: &'a Conversion,
    name: &'a FileName,
    allowance: Allowance<'a>,
    facts: &'f mut Facts,
    report: FileReport,
    spool: Spool<'a>,
    notes: Notes,
    rows: u64,
    slabs: usize,
    bad_times: u64,
    bad_positions: u64,
    last_time: Option<i64>,
    functions: Functions<'a>,
    /// For each partition whether any row gave it a value.
    seen: Vec<bool>,
}

impl<'a, 'f> Pass<'a, 'f> {
    fn new(conversion: &'a Conversion, name: &'a FileName, allowance: Allowance<'a>, facts: &'f mut Facts) -> Self {
        Self {
            conversion,
            name,
            allowance,
            facts,
            report: FileReport::default(),
            spool: Spool::new(allowance),
            notes: Notes::default(),
            rows: 0,
            slabs: 0,
            bad_times: 0,
            bad_positions: 0,
            last_time: None,
            functions: Functions::default(),
            seen: vec![false; conversion.config.partitioning.len()],
        }
    }

    fn config(&self) -> &'a DatasetConfig {
        &self.conversion.config
    }

    /// The rows of a file of variables.
    fn variables(&mut self, reader: &dyn Reader, length: u64) -> Result<(), FileError> {
        let layout = Layout::of(reader, self.config(), self.conversion.compat, &self.name.key)?;
        for note in &layout.notes {
            self.notes.say(note.as_str());
        }
        let slabs = estimate::slabs(reader, self.config(), &layout, length, self.allowance.bytes)?;
        let unpacked = unpack::shared(reader, self.config(), &layout, &slabs, self.allowance.bytes);
        let held = WithUnpacked { reader, unpacked: &unpacked };
        let mut kept = BTreeMap::new();
        for slab in slabs {
            let rows = VariableRows::new(self.conversion, &held, &layout, slab.clone(), &mut kept);
            self.slab(Rows::Variables(rows))?;
            unpack::release(reader, &unpacked, &slab);
        }
        note_unknown(self.config(), reader.variables().iter().map(|v| v.name.as_str()), &mut self.notes);
        self.check()
    }

    /// The rows of a table: with a second thread the next batch is read while this one is converted.
    fn table(&mut self, input: &TableInput, look: Look) -> Result<(), FileError> {
        let mut reader = input.open(self.config(), self.allowance, look)?;
        let index = reader.index().map(str::to_owned);
        let (threads, mut first_row) = (self.allowance.threads, 0);
        let mut take = |batch: RecordBatch| {
            let count = batch.num_rows();
            self.slab(Rows::Table(TableRows { batch, index: index.as_deref(), first_row }))?;
            first_row += count;
            Ok::<_, FileError>(())
        };
        if threads > 1 {
            std::thread::scope(|scope| {
                let (send, batches) = sync_channel(1);
                let reader = &mut reader;
                scope.spawn(move || {
                    loop {
                        let batch = read::guarded(|| reader.next_batch()).map_err(FileError::GaveUp).and_then(|read| Ok(read?));
                        let more = matches!(batch, Ok(Some(_)));
                        // Nobody waits for it any more: the conversion has failed.
                        if send.send(batch).is_err() || !more {
                            break;
                        }
                    }
                });
                batches.iter().try_for_each(|batch| batch?.map_or(Ok(()), &mut take))
            })?;
        } else {
            while let Some(batch) = reader.next_batch()? {
                take(batch)?;
            }
        }
        if first_row == 0 {
            return Err(FileError::NoRows("the table has no rows".into()));
        }
        if let Some((count, line)) = reader.short_lines() {
            self.notes.count("", count, format!(" lines have too few fields, the missing ones are null; the first is line {line}"));
        }
        if reader.lines_left_out() > 0 {
            self.report.rows_left_out.insert(Reason::MalformedCsv, reader.lines_left_out());
        }
        note_unknown(self.config(), reader.names().iter().map(String::as_str), &mut self.notes);
        self.check()
    }

    /// Steps 6 to 14 for one slab.
    fn slab(&mut self, rows: Rows<'_>) -> Result<(), FileError> {
        let count = rows.count();
        self.spool.make_room()?;
        let mut sources = Sources::new(self.conversion, self.name, rows, &mut self.functions, &mut self.notes);
        let time = levels::time_level(&mut sources, &mut self.last_time)?;
        let positions = levels::position_levels(&mut sources)?;
        let (survivors, bad_times, bad_positions) = leave_out(count, time.as_ref(), positions.as_ref());
        self.slabs += 1;
        self.rows += count as u64;
        self.bad_times += bad_times;
        self.bad_positions += bad_positions;
        if survivors.is_empty() {
            return Ok(());
        }
        let used = Used { rows: &survivors, partly: bad_times + bad_positions > 0, bad_times: bad_times > 0 };
        let mut columns = columns::columns(&mut sources, used, self.facts)?;
        let levels = Levels::new(self.conversion, time, positions, &columns)?;
        let groups = level::groups(&survivors, &levels.codes());
        columns.retain(|c| !self.conversion.config.partitioning.iter().any(|p| p.name() == c.name));
        let columns = SlabColumns::new(columns, count);
        self.spool.admit(&columns);
        for group in groups {
            for (seen, has) in self.seen.iter_mut().zip(levels.values(&group.codes)) {
                *seen |= has;
            }
            let key = partition::object_key(&levels.folders(&group.codes), &self.name.stem);
            self.spool.push(key, &columns, group.ranges);
        }
        Ok(())
    }

    /// What can be said only of the whole file.
    fn check(&mut self) -> Result<(), FileError> {
        let (rows, bad_time, bad_position) = (self.rows, self.bad_times, self.bad_positions);
        for (reason, count) in [(Reason::BadRowTime, bad_time), (Reason::BadRowPosition, bad_position)] {
            if count > 0 {
                self.report.rows_left_out.insert(reason, count);
            }
        }
        if bad_time + bad_position == rows {
            let time = self
                .conversion
                .time_partition()
                .map_or("", |p| if let Partition::Time { time_varname, .. } = p { time_varname } else { "" });
            let position = self.conversion.tile_partition().map_or(String::new(), |p| {
                if let Partition::Tile { lat_varname, lon_varname, .. } = p {
                    format!("{lat_varname:?}, {lon_varname:?}")
                } else {
                    String::new()
                }
            });
            return Err(FileError::NoRows(if bad_position == 0 {
                format!("none of {rows} rows has a valid time in {time:?}")
            } else {
                format!(
                    "The dataframe is now empty after removing invalid spatial data: of {rows} rows {bad_time} have a bad time ({time:?}), {bad_position} a bad position ({position})"
                )
            }));
        }
        // Step 15: a partition column needs one value at least.
        let empty = self.conversion.config.partitioning.iter().zip(&self.seen).find(|(_, seen)| !**seen);
        empty.map_or(Ok(()), |(partition, _)| Err(FileError::EmptyPartitionColumn(partition.name().to_owned())))
    }
}

/// Steps 9 to 11: rows with a bad time go first, then those with a bad position.
fn leave_out(rows: usize, time: Option<&Level>, positions: Option<&(Level, Level)>) -> (Vec<Range<usize>>, u64, u64) {
    let time_codes: Vec<&Codes> = time.iter().map(|l| &l.codes).collect();
    let position_codes = positions.iter().flat_map(|(lat, lon)| [&lat.codes, &lon.codes]);
    let levels: Vec<&Codes> = time_codes.iter().copied().chain(position_codes).collect();
    let survivors = level::survivors(rows, &levels);
    let bad_times: u64 = survivors.left_out[..time_codes.len()].iter().sum();
    let bad_positions: u64 = survivors.left_out[time_codes.len()..].iter().sum();
    (survivors.ranges, bad_times, bad_positions)
}

/// Columns the schema does not know are left out: said once.
fn note_unknown<'a>(config: &DatasetConfig, names: impl Iterator<Item = &'a str>, notes: &mut Notes) {
    let known: BTreeSet<&str> = config.schema.iter().map(|s| s.name.as_str()).collect();
    let unknown: Vec<&str> = names.filter(|name| !known.contains(name) && !config.drop_variables.iter().any(|d| d == name)).collect();
    if !unknown.is_empty() {
        notes.say(format!("variables the schema does not have, left out: {}", listed(&unknown)));
    }
}

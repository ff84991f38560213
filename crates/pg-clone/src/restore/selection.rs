//! Which part of a dump is restored, and what happens to everything that needs the rest. Pure decisions.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use backup_core::failure::{Operation, Setting};
use backup_core::remedy;
use serde::Serialize;

use crate::error::{Obstacle, PgError, PgResult, Problem};
use crate::pattern::TablePattern;
use crate::restore::archive_toc::Entry;
use crate::restore::dependents::Dependents;
use crate::setters::setters;
use crate::stored::detail::{DumpDetail, TableDump};

/// Schema whose tables a pattern without a schema means: the one that is on everybody's search path.
const VISIBLE_SCHEMA: &str = "public";

/// What has columns and can be named by a pattern.
const RELATIONS: [&str; 5] = ["TABLE", "FOREIGN TABLE", "VIEW", "MATERIALIZED VIEW", "SEQUENCE"];

/// A part of a dump, as somebody asks for it.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Selection {
    /// Only these tables, views and sequences; with schemas, those of either.
    pub tables: Vec<TablePattern>,
    /// Only what is in schemas of these names; a pattern without a dot.
    pub schemas: Vec<TablePattern>,
    /// Not these, whatever else is said of them.
    pub exclude_tables: Vec<TablePattern>,
    /// Not these extensions, by name, nor what cannot be without them.
    pub exclude_extensions: Vec<String>,
    /// No rows, no values of sequences, no large objects.
    pub schema_only: bool,
    /// Nothing but rows, values of sequences and large objects: they go into the schema that the target has.
    pub data_only: bool,
    /// What becomes of tables that are not selected.
    pub excluded: Excluded,
}

/// What becomes of tables that are not selected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Excluded {
    /// They are made, without rows: views, functions and triggers that name them go on working.
    #[default]
    KeepEmpty,
    /// They are not made, nor is what cannot be without them.
    Drop,
}

impl FromStr for Excluded {
    type Err = PgError;

    /// `keep-empty` or `drop`.
    fn from_str(text: &str) -> PgResult<Self> {
        match text {
            "keep-empty" => Ok(Self::KeepEmpty),
            "drop" => Ok(Self::Drop),
            _ => Err(PgError::Usage {
                what: format!("`{text}` is not a way to treat tables that are not selected"),
                help: "use keep-empty or drop".into(),
            }),
        }
    }
}

impl fmt::Display for Excluded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::KeepEmpty => "keep-empty",
            Self::Drop => "drop",
        })
    }
}

setters! {
    Selection {
        plain tables: Vec<TablePattern>,
        plain schemas: Vec<TablePattern>,
        plain exclude_tables: Vec<TablePattern>,
        plain exclude_extensions: Vec<String>,
        flag schema_only: bool,
        flag data_only: bool,
        plain excluded: Excluded,
    }
}

impl Selection {
    /// Whether anything less than the whole dump is asked for.
    #[must_use]
    pub fn is_partial(&self) -> bool {
        self.schema_only || self.data_only || self.names_relations() || !self.exclude_extensions.is_empty()
    }

    fn names_relations(&self) -> bool {
        !(self.tables.is_empty() && self.schemas.is_empty() && self.exclude_tables.is_empty())
    }

    fn only_some(&self) -> bool {
        !(self.tables.is_empty() && self.schemas.is_empty())
    }
}

/// What becomes of something that needs a table which is not selected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fate {
    /// It is there as before.
    Kept,
    /// It is computed from what is there.
    Recomputed,
    /// It is not made.
    LeftOut,
    /// A table that was not selected is made all the same, without rows, because something selected needs it.
    KeptEmpty,
}

/// Something that needs a table which is not selected, and what becomes of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[non_exhaustive]
pub struct Consequence {
    /// `view public.v`.
    pub object: String,
    /// What it needs, or what needs it if it is kept empty: `table public.t`.
    pub because_of: String,
    /// What becomes of it.
    pub fate: Fate,
}

/// The part of a dump that is restored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Chosen {
    /// What becomes of tables that are not selected.
    pub excluded: Excluded,
    /// Whether no rows are restored at all.
    pub schema_only: bool,
    /// Whether only rows are restored, into the schema that the target has.
    pub data_only: bool,
    /// Tables made without the rows they have in the dump, as `schema.table`.
    pub emptied: Vec<String>,
    /// Tables, views and sequences not made, as `table schema.name`.
    pub dropped: Vec<String>,
    /// What needs a table that is not selected.
    pub consequences: Vec<Consequence>,
    /// Whether large objects are restored.
    pub large_objects: bool,
    /// Positions in the manifest of the tables whose rows are restored.
    #[serde(skip)]
    pub(crate) rows: BTreeSet<usize>,
    /// Numbers of entries of the schema archive that are not restored.
    #[serde(skip)]
    pub(crate) left_out: BTreeSet<u32>,
    /// Sequences and materialized views, as schema and name, that are not made.
    #[serde(skip)]
    pub(crate) gone: BTreeSet<(String, String)>,
}

/// Chooses the part of a dump that `selection` asks for.
///
/// # Errors
/// [`PgError::Usage`] for a pattern that means nothing in this dump: probably a slip of the pen, and with it a restore of
/// nothing.
pub(crate) fn choose(selection: &Selection, entries: &[Entry], detail: &DumpDetail) -> PgResult<Chosen> {
    let graph = Graph::new(entries);
    refuse_unmatched(selection, &graph, &detail.tables)?;
    refuse_without_rows(selection, &graph, detail)?;
    let selected = graph.selected(selection);
    let mut chosen = Chosen {
        excluded: selection.excluded,
        schema_only: selection.schema_only,
        data_only: selection.data_only,
        large_objects: !selection.schema_only && !selection.only_some() && detail.large_objects.is_some(),
        ..Chosen::default()
    };
    if selection.data_only {
        chosen.gone = untouched(&graph, &selected, selection, detail);
    } else if selection.names_relations() {
        match selection.excluded {
            Excluded::KeepEmpty => keep_empty(&graph, &selected, &mut chosen),
            Excluded::Drop => drop_unselected(&graph, &selected, selection, &mut chosen),
        }
        if !selection.schema_only {
            leave_out_broken_keys(&graph, &selected, &mut chosen);
        }
    }
    for (at, table) in detail.tables.iter().enumerate() {
        let entry = graph.tables.get(&(table.schema.as_str(), table.name.as_str()));
        let wanted = match entry {
            Some(id) => selected.contains(id),
            // Rows of an extension's configuration table, which the archive does not list.
            None => selection.takes(&table.schema, &table.name),
        };
        if wanted && !selection.schema_only {
            chosen.rows.insert(at);
        } else if entry.is_none_or(|id| !chosen.left_out.contains(id)) {
            chosen.emptied.push(format!("{}.{}", table.schema, table.name));
        }
    }
    if !selection.exclude_extensions.is_empty() {
        leave_out_extensions(&selection.exclude_extensions, entries, detail, &mut chosen)?;
    }
    chosen.consequences.sort();
    chosen.consequences.dedup();
    Ok(chosen)
}

impl Selection {
    fn takes(&self, schema: &str, name: &str) -> bool {
        let hits = |patterns: &[TablePattern]| {
            patterns.iter().any(|pattern| pattern.matches(schema, name, schema == VISIBLE_SCHEMA))
        };
        let in_schema = self.schemas.iter().any(|pattern| pattern.matches("", schema, true));
        (!self.only_some() || hits(&self.tables) || in_schema) && !hits(&self.exclude_tables)
    }

    fn excludes(&self, schema: &str, name: &str) -> bool {
        self.exclude_tables.iter().any(|pattern| pattern.matches(schema, name, schema == VISIBLE_SCHEMA))
    }
}

fn leave_out_extensions(names: &[String], entries: &[Entry], detail: &DumpDetail, chosen: &mut Chosen) -> PgResult<()> {
    let has = |name: &String| detail.extensions.iter().any(|extension| extension.name == *name);
    if let Some(unknown) = names.iter().find(|name| !has(name)) {
        return Err(PgError::Usage {
            what: format!("the dump has no extension `{unknown}`"),
            help: remedy!["nothing was changed. ", Operation::ShowDump.on("KEY"), " lists its extensions"],
        });
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let gone = Dependents::of(entries, &names);
    let because_of = format!("extension {}", names.join(", "));
    chosen.consequences.extend(gone.others(entries).map(|entry| Consequence {
        object: entry.label(),
        because_of: because_of.clone(),
        fate: Fate::LeftOut,
    }));
    chosen.left_out.extend(&gone.ids);
    chosen.rows.retain(|at| detail.tables.get(*at).is_some_and(|table| !gone.holds(&table.schema, &table.name)));
    let sequences = detail.sequences.iter().map(|sequence| (&sequence.schema, &sequence.name));
    let views = detail.matviews.iter().map(|view| (&view.schema, &view.name));
    let named = sequences.chain(views).filter(|(schema, name)| gone.holds(schema, name));
    chosen.gone.extend(named.map(|(schema, name)| (schema.clone(), name.clone())));
    Ok(())
}

fn refuse_unmatched(selection: &Selection, graph: &Graph<'_>, tables: &[TableDump]) -> PgResult<()> {
    let named = graph.relations.values().filter_map(|entry| Some((entry.schema.as_deref()?, entry.name.as_str())));
    let names: BTreeSet<(&str, &str)> =
        named.chain(tables.iter().map(|table| (table.schema.as_str(), table.name.as_str()))).collect();
    let of_tables = selection.tables.iter().chain(&selection.exclude_tables);
    let mut unused = of_tables
        .filter(|pattern| !names.iter().any(|(schema, name)| pattern.matches(schema, name, *schema == VISIBLE_SCHEMA)));
    let mut unused_schemas =
        selection.schemas.iter().filter(|pattern| !names.iter().any(|(schema, _)| pattern.matches("", schema, true)));
    match unused.next().or_else(|| unused_schemas.next()) {
        None => Ok(()),
        Some(pattern) => Err(PgError::Usage {
            what: format!("nothing in the dump matches `{pattern}`"),
            help: remedy![
                "nothing was changed. Outside the schema `public`, write schema.table, and put double quotes around \
                 upper-case letters; ",
                Operation::ShowDump.on("KEY"),
                " lists the tables"
            ],
        }),
    }
}

/// Whoever names a table means its rows. Where the dump was made without them, nothing would come back and nobody be told.
fn refuse_without_rows(selection: &Selection, graph: &Graph<'_>, detail: &DumpDetail) -> PgResult<()> {
    if selection.schema_only || !selection.only_some() {
        return Ok(());
    }
    let emptied: BTreeSet<&str> = detail.filters.emptied.iter().map(String::as_str).collect();
    let labelled = graph.tables.iter().map(|((schema, name), id)| (format!("{schema}.{name}"), *schema, *name, *id));
    let selected = graph.selected(selection);
    let (without, with): (Vec<_>, Vec<_>) =
        labelled.filter(|(.., id)| selected.contains(id)).partition(|(label, ..)| emptied.contains(label.as_str()));
    let named = without.iter().find(|(_, schema, name, _)| {
        selection.tables.iter().any(|pattern| pattern.matches(schema, name, *schema == VISIBLE_SCHEMA))
    });
    let Some((label, ..)) = named.or_else(|| without.first().filter(|_| with.is_empty())) else { return Ok(()) };
    Err(Problem::new(
        Obstacle::NotInDump,
        format!("the rows of `{label}` were left out of this dump"),
        remedy![
            "choose a dump that has them (",
            Operation::ListDumps,
            " shows which are complete), or restore only the definition with ",
            Setting::SchemaOnly
        ],
    )
    .refusal())
}

/// Sequences and materialized views that only rows do not touch. A sequence that belongs to a table without new rows stays
/// as it is: set back, it would hand out numbers which that table has.
fn untouched(
    graph: &Graph<'_>,
    selected: &BTreeSet<u32>,
    selection: &Selection,
    detail: &DumpDetail,
) -> BTreeSet<(String, String)> {
    let is_named = |schema: &str, name: &str| {
        selection.tables.iter().any(|pattern| pattern.matches(schema, name, schema == VISIBLE_SCHEMA))
    };
    let is_set = |schema: &str, name: &str| {
        let is_it =
            |entry: &&&Entry| entry.kind == "SEQUENCE" && entry.schema.as_deref() == Some(schema) && entry.name == name;
        // One of an extension, which the archive does not list.
        let Some(entry) = graph.relations.values().find(is_it) else { return selection.takes(schema, name) };
        let owner = entry.needs.iter().find(|need| graph.is_table(**need));
        selected.contains(&entry.id) && owner.is_none_or(|owner| selected.contains(owner) || is_named(schema, name))
    };
    let left = detail.sequences.iter().map(|sequence| (&sequence.schema, &sequence.name));
    let left = left.filter(|(schema, name)| !is_set(schema, name));
    let views = detail.matviews.iter().map(|view| (&view.schema, &view.name));
    left.chain(views).map(|(schema, name)| (schema.clone(), name.clone())).collect()
}

/// What stands where in the archive.
struct Graph<'a> {
    entries: &'a [Entry],
    /// By number, those that can be named.
    relations: BTreeMap<u32, &'a Entry>,
    /// Numbers of tables by schema and name.
    tables: BTreeMap<(&'a str, &'a str), u32>,
    /// The partitioned table that each partition belongs to.
    parents: BTreeMap<u32, u32>,
}

impl<'a> Graph<'a> {
    fn new(entries: &'a [Entry]) -> Self {
        let named = entries.iter().filter(|entry| RELATIONS.contains(&entry.kind.as_str()));
        let relations: BTreeMap<u32, &Entry> = named.map(|entry| (entry.id, entry)).collect();
        let tables = relations.values().filter(|entry| entry.kind.ends_with("TABLE"));
        let tables: BTreeMap<(&str, &str), u32> =
            tables.filter_map(|entry| Some(((entry.schema.as_deref()?, entry.name.as_str()), entry.id))).collect();
        let attached = entries.iter().filter(|entry| entry.kind == "TABLE ATTACH");
        let parents = attached.filter_map(|entry| {
            let child = *tables.get(&(entry.schema.as_deref()?, entry.name.as_str()))?;
            let parent = entry.needs.iter().find(|id| **id != child && relations.contains_key(id))?;
            Some((child, *parent))
        });
        Self { entries, parents: parents.collect(), relations, tables }
    }

    fn is_table(&self, id: u32) -> bool {
        self.relations.get(&id).is_some_and(|entry| entry.kind.ends_with("TABLE"))
    }

    fn label(&self, id: u32) -> String {
        self.relations.get(&id).map_or_else(String::new, |entry| entry.label())
    }

    /// A table and the partitioned ones above it: what is said of them holds for it too.
    fn with_ancestors(&self, id: u32) -> Vec<u32> {
        let mut line = vec![id];
        // A partition tree that is no tree, in a damaged archive, must not turn round for ever.
        while let Some(parent) = line.last().and_then(|last| self.parents.get(last))
            && !line.contains(parent)
        {
            line.push(*parent);
        }
        line
    }

    /// `ids` and the partitioned tables above them.
    fn lines(&self, ids: impl Iterator<Item = u32>) -> BTreeSet<u32> {
        ids.flat_map(|id| self.with_ancestors(id)).collect()
    }

    fn selected(&self, selection: &Selection) -> BTreeSet<u32> {
        let name = |id: &u32| {
            let entry = self.relations.get(id)?;
            Some((entry.schema.as_deref().unwrap_or_default(), entry.name.as_str()))
        };
        let chosen = |id: u32| {
            let line: Vec<(&str, &str)> = self.with_ancestors(id).iter().filter_map(name).collect();
            line.iter().any(|(schema, name)| selection.takes(schema, name))
                && !line.iter().any(|(schema, name)| selection.excludes(schema, name))
        };
        let mut selected: BTreeSet<u32> = self.relations.keys().copied().filter(|id| chosen(*id)).collect();
        // A table's own sequences come with it.
        let owned = self.relations.values().filter(|entry| {
            let excluded = name(&entry.id).is_some_and(|(schema, name)| selection.excludes(schema, name));
            entry.kind == "SEQUENCE" && !excluded && entry.needs.iter().any(|need| selected.contains(need))
        });
        let owned: Vec<u32> = owned.map(|entry| entry.id).collect();
        selected.extend(owned);
        selected
    }

    /// `roots` and all they need, directly or not.
    fn needed_by(&self, roots: &BTreeSet<u32>) -> BTreeMap<u32, u32> {
        let by_id: BTreeMap<u32, &Entry> = self.entries.iter().map(|entry| (entry.id, entry)).collect();
        let mut needed: BTreeMap<u32, u32> = roots.iter().map(|id| (*id, *id)).collect();
        let mut open: Vec<u32> = roots.iter().copied().collect();
        while let Some(id) = open.pop() {
            for need in by_id.get(&id).into_iter().flat_map(|entry| &entry.needs) {
                if !needed.contains_key(need) {
                    needed.insert(*need, id);
                    open.push(*need);
                }
            }
        }
        needed
    }
}

/// Makes everything.
fn keep_empty(graph: &Graph<'_>, selected: &BTreeSet<u32>, chosen: &mut Chosen) {
    let missing = graph.lines(graph.tables.values().copied().filter(|id| !selected.contains(id)));
    for entry in graph.entries {
        let direct = entry.needs.iter().copied().find(|id| missing.contains(id));
        let (needed, fate) = match entry.kind.as_str() {
            // Its rows come from far away, too.
            "MATERIALIZED VIEW" => {
                let all = graph.needed_by(&BTreeSet::from([entry.id]));
                (all.into_keys().find(|id| missing.contains(id)), Fate::Recomputed)
            }
            "VIEW" | "RULE" | "FUNCTION" | "PROCEDURE" | "POLICY" => (direct, Fate::Kept),
            _ => continue,
        };
        if let Some(needed) = needed {
            chosen.consequences.push(Consequence { object: entry.label(), because_of: graph.label(needed), fate });
        }
    }
}

/// Leaves out the foreign keys that rows would break: what they refer to has not all of its rows.
fn leave_out_broken_keys(graph: &Graph<'_>, selected: &BTreeSet<u32>, chosen: &mut Chosen) {
    // A partitioned table holds rows if one of its partitions does, and not all if one of them does not.
    let some_missing = graph.lines(graph.tables.values().copied().filter(|id| !selected.contains(id)));
    let some_present = graph.lines(graph.tables.values().copied().filter(|id| selected.contains(id)));
    for entry in graph.entries.iter().filter(|entry| entry.kind == "FK CONSTRAINT") {
        if let Some(referenced) = broken_key(graph, entry, &some_present, &some_missing)
            && chosen.left_out.insert(entry.id)
        {
            let (object, because_of) = (entry.label(), graph.label(referenced));
            chosen.consequences.push(Consequence { object, because_of, fate: Fate::LeftOut });
        }
    }
}

/// Numbers of the foreign keys that rows may break where the `emptied` tables, as `schema.table`, have none; and of what is
/// said of these keys.
pub(crate) fn doubtful_keys(entries: &[Entry], emptied: &[String]) -> BTreeSet<u32> {
    let graph = Graph::new(entries);
    let emptied: BTreeSet<&str> = emptied.iter().map(String::as_str).collect();
    let (without, with): (Vec<_>, Vec<_>) =
        graph.tables.iter().partition(|((schema, name), _)| emptied.contains(format!("{schema}.{name}").as_str()));
    let some_missing = graph.lines(without.into_iter().map(|(_, id)| *id));
    let some_present = graph.lines(with.into_iter().map(|(_, id)| *id));
    let keys = entries.iter().filter(|entry| entry.kind == "FK CONSTRAINT");
    let keys = keys.filter(|entry| broken_key(&graph, entry, &some_present, &some_missing).is_some());
    let keys: BTreeSet<u32> = keys.map(|entry| entry.id).collect();
    let said_of = entries.iter().filter(|entry| entry.needs.iter().any(|need| keys.contains(need)));
    said_of.map(|entry| entry.id).chain(keys.iter().copied()).collect()
}

/// The table a foreign key refers to, if the key could be broken: the referring table has rows and that one not all.
fn broken_key(
    graph: &Graph<'_>,
    entry: &Entry,
    some_present: &BTreeSet<u32>,
    some_missing: &BTreeSet<u32>,
) -> Option<u32> {
    let referring = entry.needs.iter().copied().filter(|id| graph.is_table(*id)).filter(|id| {
        let table = graph.relations[id];
        table.schema == entry.schema && entry.name.strip_prefix(&table.name).is_some_and(|rest| rest.starts_with(' '))
    });
    // Of `a` and `a b`, both in the same schema, the constraint `a b c` may belong to either.
    let referring: BTreeSet<u32> = referring.collect();
    let has_rows = referring.iter().any(|id| some_present.contains(id));
    let mut referenced = entry.needs.iter().copied().filter(|id| graph.is_table(*id) && some_missing.contains(id));
    let other = referenced.clone().find(|id| !referring.contains(id));
    has_rows.then(|| other.or_else(|| referenced.next())).flatten()
}

/// Makes what is selected and what that needs, and nothing that cannot be without the rest.
fn drop_unselected(graph: &Graph<'_>, selected: &BTreeSet<u32>, selection: &Selection, chosen: &mut Chosen) {
    // Tables keep what they need, and so do views that were named; other views and sequences fall with their tables.
    let named = |entry: &Entry| {
        let schema = entry.schema.as_deref().unwrap_or_default();
        selection.tables.iter().any(|pattern| pattern.matches(schema, &entry.name, schema == VISIBLE_SCHEMA))
    };
    let keeping = selected.iter().copied().filter(|id| graph.is_table(*id) || named(graph.relations[id]));
    // A column's default is part of its table; so is what the default takes its values from.
    let defaults = graph.entries.iter().filter(|entry| {
        entry.kind == "DEFAULT" && entry.needs.iter().any(|need| selected.contains(need) && graph.is_table(*need))
    });
    let roots: BTreeSet<u32> = keeping.chain(defaults.map(|entry| entry.id)).collect();
    let needed = graph.needed_by(&roots);
    for (id, by) in needed.iter().filter(|(id, _)| graph.is_table(**id) && !selected.contains(id)) {
        let direct = graph.entries.iter().find(|entry| selected.contains(&entry.id) && entry.needs.contains(id));
        let because_of = direct.or_else(|| graph.entries.iter().find(|entry| entry.id == *by));
        let because_of = because_of.map(Entry::label).unwrap_or_default();
        chosen.consequences.push(Consequence { object: graph.label(*id), because_of, fate: Fate::KeptEmpty });
    }
    let unwanted = graph.relations.keys().copied().filter(|id| !needed.contains_key(id) && !selected.contains(id));
    let mut gone: BTreeSet<u32> = unwanted.collect();
    // Entries come after what they need, but for what `pg_dump` moved to break a circle: until nothing is added.
    loop {
        let before = gone.len();
        let falling = graph.entries.iter().filter(|entry| entry.needs.iter().any(|need| gone.contains(need)));
        let falling: Vec<u32> = falling.map(|entry| entry.id).collect();
        gone.extend(falling);
        if gone.len() == before {
            break;
        }
    }
    for entry in graph.entries.iter().filter(|entry| gone.contains(&entry.id)) {
        if RELATIONS.contains(&entry.kind.as_str()) {
            chosen.dropped.push(entry.label());
            chosen.gone.insert((entry.schema.clone().unwrap_or_default(), entry.name.clone()));
        } else if let Some(needed) = surprising(graph, entry, &gone) {
            let because_of = graph.label(needed);
            chosen.consequences.push(Consequence { object: entry.label(), because_of, fate: Fate::LeftOut });
        }
    }
    chosen.left_out = gone;
}

/// The missing table because of which something falls that does not belong to that table alone: a key or trigger of another
/// table, a function.
fn surprising(graph: &Graph<'_>, entry: &Entry, gone: &BTreeSet<u32>) -> Option<u32> {
    /// What is said of an object and falls with it.
    const SAID_OF: [&str; 6] =
        ["COMMENT", "ACL", "SECURITY LABEL", "SEQUENCE OWNED BY", "TABLE ATTACH", "INDEX ATTACH"];
    let missing = entry.needs.iter().copied().find(|need| gone.contains(need) && graph.relations.contains_key(need))?;
    let on_another = entry.needs.iter().any(|need| graph.relations.contains_key(need) && !gone.contains(need));
    let independent = matches!(entry.kind.as_str(), "FUNCTION" | "PROCEDURE" | "TYPE" | "AGGREGATE" | "CAST");
    ((on_another || independent) && !SAID_OF.contains(&entry.kind.as_str())).then_some(missing)
}

#[cfg(test)]
mod tests;

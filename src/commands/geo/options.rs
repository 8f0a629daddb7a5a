//! What is asked of a search: GEOSEARCH and GEOSEARCHSTORE in words of their own, GEORADIUS and GEORADIUSBYMEMBER by place.
//!
//! ```text
//!  GEOSEARCH key            FROMMEMBER m | FROMLONLAT lon lat   BYRADIUS r unit | BYBOX w h unit   options
//!  GEOSEARCHSTORE dst key   likewise, without WITH..., and with STOREDIST
//!  GEORADIUS key lon lat r unit                                 options [STORE key] [STOREDIST key]
//!  GEORADIUSBYMEMBER key m r unit                               likewise
//!  options: [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT n [ANY]] [ASC|DESC]
//! ```
//!
//! Called by `search`. Always: what is wrong is found in Redis' order, and named in its words.

use crate::base::double::parse_double;
use crate::commands::geo::{position_at, unit};
use crate::commands::spec::{Args, Failure};
use crate::types::SortedSet;
use crate::types::geo::Position;
use crate::types::geo::area::{Extent, Shape};

/// Which command searches.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verb {
    Search,
    SearchStore,
    Radius { can_store: bool },
    RadiusByMember { can_store: bool },
}

impl Verb {
    /// The argument with the key that is searched.
    pub fn source(self) -> usize {
        match self {
            Verb::SearchStore => 2,
            Verb::Search | Verb::Radius { .. } | Verb::RadiusByMember { .. } => 1,
        }
    }

    fn is_search(self) -> bool {
        matches!(self, Verb::Search | Verb::SearchStore)
    }

    fn can_store(self) -> bool {
        matches!(self, Verb::Radius { can_store: true } | Verb::RadiusByMember { can_store: true })
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Order {
    Ascending,
    Descending,
}

/// A search as it is asked for.
pub struct Search<'a> {
    /// None if there is nothing to search in.
    pub shape: Option<Shape>,
    /// Metres of the unit in which distances are shown.
    pub unit: f64,
    pub with_distance: bool,
    pub with_hash: bool,
    pub with_position: bool,
    pub count: Option<usize>,
    /// Stop with the first `count` that are found.
    pub any: bool,
    pub order: Option<Order>,
    /// Where the result goes, if not to the client.
    pub destination: Option<&'a [u8]>,
    /// What is stored are the distances.
    pub stores_distances: bool,
}

/// What has been read so far.
struct Reading<'a, 's> {
    args: Args<'a>,
    verb: Verb,
    set: Option<&'s SortedSet>,
    search: Search<'a>,
    centre: Option<Position>,
    from_member: bool,
    from_position: bool,
    /// In the unit of the request.
    extent: Option<Extent>,
    by_box: bool,
    by_radius: bool,
}

impl<'a> Search<'a> {
    /// Reads a request. Members are looked up in `set`, the value of the source key.
    pub fn parse(args: Args<'a>, verb: Verb, set: Option<&SortedSet>) -> Result<Search<'a>, Failure> {
        let search = Search {
            shape: None,
            unit: 1.0,
            with_distance: false,
            with_hash: false,
            with_position: false,
            count: None,
            any: false,
            order: None,
            destination: (verb == Verb::SearchStore).then(|| args.get(1)),
            stores_distances: false,
        };
        let mut reading = Reading {
            args,
            verb,
            set,
            search,
            centre: None,
            from_member: false,
            from_position: false,
            extent: None,
            by_box: false,
            by_radius: false,
        };
        let first = reading.places()?;
        reading.words(first)?;
        reading.finish()
    }
}

const NO_MEMBER: Failure = Failure::text("ERR could not decode requested zset member");

fn number(word: &[u8], failure: &'static str) -> Result<f64, Failure> {
    parse_double(word).ok_or(Failure::text(failure))
}

impl<'a> Reading<'a, '_> {
    /// What stands at fixed places; returns where the options begin.
    fn places(&mut self) -> Result<usize, Failure> {
        match self.verb {
            Verb::Search => Ok(2),
            Verb::SearchStore => Ok(3),
            Verb::Radius { .. } => {
                self.centre = Some(position_at(&self.args, 2)?);
                self.radius(4)?;
                Ok(6)
            }
            Verb::RadiusByMember { .. } => {
                // Without a key the rest is read for the sake of the reply's form only.
                if self.set.is_some() {
                    self.member(2)?;
                    self.radius(3)?;
                }
                Ok(5)
            }
        }
    }

    fn member(&mut self, at: usize) -> Result<(), Failure> {
        if let Some(set) = self.set {
            let score = set.score(self.args.get(at)).ok_or(NO_MEMBER)?;
            self.centre = Some(Position::of_score(score));
        }
        Ok(())
    }

    fn radius(&mut self, at: usize) -> Result<(), Failure> {
        let radius = number(self.args.get(at), "ERR need numeric radius")?;
        if radius < 0.0 {
            return Err(Failure::text("ERR radius cannot be negative"));
        }
        self.search.unit = unit(self.args.get(at + 1))?;
        self.extent = Some(Extent::Radius(radius));
        Ok(())
    }

    fn rectangle(&mut self, at: usize) -> Result<(), Failure> {
        let width = number(self.args.get(at), "ERR need numeric width")?;
        let height = number(self.args.get(at + 1), "ERR need numeric height")?;
        if height < 0.0 || width < 0.0 {
            return Err(Failure::text("ERR height or width cannot be negative"));
        }
        self.search.unit = unit(self.args.get(at + 2))?;
        self.extent = Some(Extent::Rectangle { width, height });
        Ok(())
    }

    /// Options in any order.
    fn words(&mut self, first: usize) -> Result<(), Failure> {
        let mut at = first;
        while at < self.args.len() {
            at += 1 + match self.flag(at) {
                true => 0,
                false => self.option(at, self.args.len() - at - 1)?,
            };
        }
        Ok(())
    }

    /// An option that is one word.
    fn flag(&mut self, at: usize) -> bool {
        let (args, search) = (&self.args, &mut self.search);
        match () {
            () if args.is(at, "withdist") => search.with_distance = true,
            () if args.is(at, "withhash") => search.with_hash = true,
            () if args.is(at, "withcoord") => search.with_position = true,
            () if args.is(at, "any") => search.any = true,
            () if args.is(at, "asc") => search.order = Some(Order::Ascending),
            () if args.is(at, "desc") => search.order = Some(Order::Descending),
            () if self.verb == Verb::SearchStore && args.is(at, "storedist") => {
                search.stores_distances = true
            }
            () => return false,
        }
        true
    }

    /// An option of several words, of which `behind` are there; returns how many follow the first.
    fn option(&mut self, at: usize, behind: usize) -> Result<usize, Failure> {
        let args = self.args;
        let is = |word: &str, needs: usize| behind >= needs && args.is(at, word);
        if is("count", 1) {
            let count = args.int(at + 1)?;
            if count <= 0 {
                return Err(Failure::text("ERR COUNT must be > 0"));
            }
            self.search.count = Some(count as usize);
            return Ok(1);
        }
        if self.verb.can_store() && (is("store", 1) || is("storedist", 1)) {
            self.search.destination = Some(args.get(at + 1));
            self.search.stores_distances = args.is(at, "storedist");
            return Ok(1);
        }
        if !self.verb.is_search() {
            return Err(Failure::SYNTAX);
        }
        if is("frommember", 1) && !self.from_position {
            self.member(at + 1)?;
            self.from_member = true;
            return Ok(1);
        }
        if is("fromlonlat", 2) && !self.from_member {
            self.centre = Some(position_at(&args, at + 1)?);
            self.from_position = true;
            return Ok(2);
        }
        if is("byradius", 2) && !self.by_box {
            self.radius(at + 1)?;
            self.by_radius = true;
            return Ok(2);
        }
        if is("bybox", 3) && !self.by_radius {
            self.rectangle(at + 1)?;
            self.by_box = true;
            return Ok(3);
        }
        Err(Failure::SYNTAX)
    }

    /// Do the options fit together?
    fn finish(mut self) -> Result<Search<'a>, Failure> {
        let search = &mut self.search;
        if search.destination.is_some() && (search.with_distance || search.with_hash || search.with_position)
        {
            let who =
                if self.verb == Verb::SearchStore { "GEOSEARCHSTORE" } else { "STORE option in GEORADIUS" };
            return Err(Failure::new(format!(
                "ERR {who} is not compatible with WITHDIST, WITHHASH and WITHCOORD options"
            )));
        }
        let name = String::from_utf8_lossy(self.args.get(0));
        if self.verb.is_search() && !(self.from_member || self.from_position) {
            return Err(Failure::new(format!(
                "ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for {name}"
            )));
        }
        if self.verb.is_search() && !(self.by_radius || self.by_box) {
            return Err(Failure::new(format!(
                "ERR exactly one of BYRADIUS and BYBOX can be specified for {name}"
            )));
        }
        if search.any && search.count.is_none() {
            return Err(Failure::text("ERR the ANY argument requires COUNT argument"));
        }
        // The nearest are meant by a COUNT without an order.
        if search.count.is_some() && search.order.is_none() && !search.any {
            search.order = Some(Order::Ascending);
        }
        let unit = search.unit;
        let extent = self.extent.map(|extent| match extent {
            Extent::Radius(radius) => Extent::Radius(radius * unit),
            Extent::Rectangle { width, height } => {
                Extent::Rectangle { width: width * unit, height: height * unit }
            }
        });
        if let (Some(centre), Some(extent)) = (self.centre, extent) {
            search.shape = Some(Shape { centre, extent });
        }
        Ok(self.search)
    }
}

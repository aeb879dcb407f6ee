//! Elements of an XML file, one subtree at a time: names without their namespace's prefix, texts unescaped, each
//! element with its path. Document types are refused, and with them all entities but XML's own five.

use crate::{Fault, Place};
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

/// Nested elements. ISO 20022 has some fifteen.
const DEPTH_MAX: usize = 64;

#[derive(Debug)]
pub(crate) struct Element {
    pub(crate) name: String,
    pub(crate) attributes: Vec<(String, String)>,
    pub(crate) text: String,
    pub(crate) children: Vec<Element>,
    /// Its number among its namesakes, from 1.
    number: usize,
}

impl Element {
    pub(crate) fn child(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.name == name)
    }
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Element> {
        self.children.iter().filter(move |child| child.name == name)
    }
    /// The first element there, step by step.
    pub(crate) fn at(&self, path: &[&str]) -> Option<&Element> {
        path.iter().try_fold(self, |element, name| element.child(name))
    }
    /// Its text; `None` where it is empty or not there.
    pub(crate) fn text_at(&self, path: &[&str]) -> Option<&str> {
        self.at(path).map(|element| element.text.trim()).filter(|text| !text.is_empty())
    }
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
    /// A step of a path.
    pub(crate) fn step(&self) -> String {
        if self.number > 1 { format!("{}[{}]", self.name, self.number) } else { self.name.clone() }
    }
}

/// What a reader of a file comes to next.
pub(crate) enum Step {
    /// Entered, at this depth: 1 is the root.
    Into(Element),
    /// A subtree that was asked for.
    Whole(Element),
    Out,
    End,
}

pub(crate) struct Walk<'a> {
    reader: Reader<&'a [u8]>,
    text: &'a str,
    /// The names on the way here, each with the counts of its children's names.
    path: Vec<(String, Vec<(String, usize)>)>,
}

impl<'a> Walk<'a> {
    pub(crate) fn new(text: &'a str) -> Walk<'a> {
        let mut reader = Reader::from_str(text);
        reader.config_mut().expand_empty_elements = true;
        Walk { reader, text, path: vec![(String::new(), vec![])] }
    }

    pub(crate) fn line(&self) -> Place {
        let at = usize::try_from(self.reader.buffer_position()).unwrap_or(usize::MAX).min(self.text.len());
        Place::Line(self.text.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count() + 1)
    }

    fn broken(&self, what: impl Into<String>) -> Fault {
        Fault::new(self.line(), what)
    }

    /// Goes on; an element that `whole` names is read with all that it holds, the others are entered.
    pub(crate) fn next(&mut self, whole: impl Fn(&str) -> bool) -> Result<Step, Fault> {
        loop {
            match self.reader.read_event().map_err(|error| self.broken(format!("this is no XML: {error}")))? {
                Event::Start(start) => {
                    let element = self.begin(&start)?;
                    if whole(&element.name) {
                        return self.subtree(element).map(Step::Whole);
                    }
                    self.path.push((element.step(), vec![]));
                    if self.path.len() > DEPTH_MAX {
                        return Err(self.broken("elements are nested too deeply"));
                    }
                    return Ok(Step::Into(element));
                }
                Event::End(_) => {
                    self.path.pop();
                    return Ok(Step::Out);
                }
                Event::Eof if self.path.len() > 1 => return Err(self.broken("the file ends within an element")),
                Event::Eof => return Ok(Step::End),
                Event::DocType(_) => return Err(self.broken("a document type is not taken")),
                _ => {}
            }
        }
    }

    fn begin(&mut self, start: &BytesStart<'_>) -> Result<Element, Fault> {
        let name = start.local_name().as_ref().to_owned();
        let mut attributes = vec![];
        for attribute in start.attributes() {
            let attribute = attribute.map_err(|error| self.broken(format!("an attribute of {name}: {error}")))?;
            let value = quick_xml::escape::unescape(&attribute.value);
            let value = value.map_err(|error| self.broken(format!("an attribute of {name}: {error}")))?.into_owned();
            attributes.push((attribute.key.local_name().as_ref().to_owned(), value));
        }
        let number = match self.path.last_mut() {
            Some((_, counts)) => count(counts, &name),
            None => 1,
        };
        Ok(Element { name, attributes, text: String::new(), children: vec![], number })
    }

    fn subtree(&mut self, root: Element) -> Result<Element, Fault> {
        let mut open = vec![root];
        loop {
            let event = self.reader.read_event().map_err(|error| self.broken(format!("this is no XML: {error}")))?;
            let Some(last) = open.last_mut() else { return Err(self.broken("an element ends that did not begin")) };
            match event {
                Event::Start(start) => {
                    let mut element = self.begin(&start)?;
                    // Its own parent's children, not the walk's.
                    let Some(last) = open.last_mut() else { continue };
                    element.number = last.children.iter().filter(|child| child.name == element.name).count() + 1;
                    open.push(element);
                    if self.path.len() + open.len() > DEPTH_MAX {
                        return Err(self.broken("elements are nested too deeply"));
                    }
                }
                Event::End(_) => {
                    let Some(done) = open.pop() else { continue };
                    match open.last_mut() {
                        Some(parent) => parent.children.push(done),
                        None => return Ok(done),
                    }
                }
                Event::Text(text) => last.text.push_str(&text),
                Event::CData(text) => last.text.push_str(&text),
                Event::GeneralRef(name) => {
                    let reference = format!("&{};", &*name);
                    let letter = quick_xml::escape::unescape(&reference);
                    last.text.push_str(&letter.map_err(|_| self.broken(format!("{reference} is not known")))?);
                }
                Event::DocType(_) => return Err(self.broken("a document type is not taken")),
                Event::Eof => return Err(self.broken("the file ends within an element")),
                _ => {}
            }
        }
    }

    /// Where the walk stands, and then the steps of what it gave.
    pub(crate) fn path(&self, steps: &[String]) -> Place {
        let above = self.path[1..].iter().map(|(step, _)| step.as_str());
        Place::Path(above.chain(steps.iter().map(String::as_str)).collect::<Vec<_>>().join("/"))
    }
}

fn count(counts: &mut Vec<(String, usize)>, name: &str) -> usize {
    match counts.iter_mut().find(|(known, _)| known == name) {
        Some((_, count)) => {
            *count += 1;
            *count
        }
        None => {
            counts.push((name.to_owned(), 1));
            1
        }
    }
}

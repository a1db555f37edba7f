//! A place in a document: a value and the path that leads to it. Members are found in either spelling that Envoy reads,
//! `snake_case` and `camelCase`.

use serde_json::Value;

/// A value of a document with its path.
#[derive(Clone, Debug)]
pub struct Node<'a> {
    /// As `static_resources.listeners[0]`.
    pub path: String,
    /// What stands there.
    pub value: &'a Value,
}

impl<'a> Node<'a> {
    /// The whole document.
    pub fn root(value: &'a Value) -> Self {
        Self { path: String::new(), value }
    }

    /// The member of that name, if there is one.
    pub fn get(&self, name: &str) -> Option<Self> {
        let value = self.value.get(name).or_else(|| self.value.get(camel(name)))?;
        let path = if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) };
        Some(Self { path, value })
    }

    /// What a chain of members leads to.
    pub fn at(&self, names: &[&str]) -> Option<Self> {
        names.iter().try_fold(self.clone(), |node, name| node.get(name))
    }

    /// The items of the list of that name; none when it is not there.
    pub fn items(&self, name: &str) -> Vec<Self> {
        let Some(list) = self.get(name) else { return Vec::new() };
        let items = list.value.as_array().map(Vec::as_slice).unwrap_or_default();
        items.iter().enumerate().map(|(index, value)| Self { path: format!("{}[{index}]", list.path), value }).collect()
    }

    /// The members of an object.
    pub fn members(&self) -> Vec<(&'a str, Self)> {
        let members = self.value.as_object().into_iter().flatten();
        members.map(|(name, value)| (name.as_str(), Self { path: format!("{}[{name:?}]", self.path), value })).collect()
    }

    /// The text of the member of that name; empty when there is none.
    pub fn text(&self, name: &str) -> &'a str {
        self.value.get(name).or_else(|| self.value.get(camel(name))).and_then(Value::as_str).unwrap_or_default()
    }

    /// Whether the member of that name is `true`.
    pub fn is_true(&self, name: &str) -> bool {
        self.get(name).is_some_and(|node| node.value == &Value::Bool(true))
    }

    /// Whether this is of the message type whose name ends so.
    pub fn is_type(&self, suffix: &str) -> bool {
        self.text("@type").ends_with(suffix)
    }
}

fn camel(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut is_raised = false;
    for letter in name.chars() {
        if letter == '_' {
            is_raised = true;
        } else {
            out.push(if is_raised { letter.to_ascii_uppercase() } else { letter });
            is_raised = false;
        }
    }
    out
}

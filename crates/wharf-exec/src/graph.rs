//! The graph of actions, and who comes first.

/// The index of an action in [`Graph::actions`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ActionId(pub usize);

/// Actions and what they wait for. Must not hold a circle.
#[derive(Debug, Clone, Default)]
pub struct Graph {
    /// The actions; an [`ActionId`] is an index into this.
    pub actions: Vec<Action>,
}

/// One thing to do. What exactly is known only when its needs are met: see [`Director::step`](crate::Director::step).
#[derive(Debug, Clone)]
pub struct Action {
    /// A name that stays the same from run to run and is unique in its target directory, made of characters that a
    /// file name may hold. It names the record of what was done last time.
    pub name: String,
    /// What must be finished before.
    pub needs: Vec<Need>,
    /// How long it is expected to run; actions on the longest remaining path start first.
    pub cost: Cost,
}

/// How long an action is expected to run, in milliseconds. Says who comes first, and nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// Until its early outputs are in place: what waits for no more than these starts then. The same as `whole` where
    /// there are none.
    pub early: u64,
    /// Until its end.
    pub whole: u64,
}

impl Cost {
    /// The cost of an action that can be used only when it has ended.
    pub fn of(whole: u64) -> Cost {
        Cost { early: whole, whole }
    }

    /// How long somebody waits who needs this much of it.
    fn until(self, stage: Stage) -> u64 {
        match stage {
            Stage::Early => self.early,
            Stage::Whole => self.whole,
        }
    }
}

/// Something that an action waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Need {
    /// What is waited for.
    pub action: ActionId,
    /// How much of it.
    pub stage: Stage,
}

/// How far an action must have come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// Its early outputs are in place; it may still run, and may still fail.
    Early,
    /// It has succeeded and all its outputs are in place.
    Whole,
}

impl Graph {
    /// Adds an action.
    pub fn add(&mut self, action: Action) -> ActionId {
        self.actions.push(action);
        ActionId(self.actions.len() - 1)
    }

    /// For each action, who waits for which stage of it.
    pub(crate) fn dependents(&self) -> Vec<Vec<(ActionId, Stage)>> {
        let mut dependents = vec![Vec::new(); self.actions.len()];
        for (index, action) in self.actions.iter().enumerate() {
            for need in &action.needs {
                dependents[need.action.0].push((ActionId(index), need.stage));
            }
        }
        dependents
    }

    /// For each action, the time from its start to the end of the build if nobody ever waits for a token: the longest
    /// path, on which an action counts until its dependent can start. `None` if there is a circle.
    pub(crate) fn remaining(&self) -> Option<Vec<u64>> {
        let mut waited_for: Vec<usize> = vec![0; self.actions.len()];
        for need in self.actions.iter().flat_map(|action| &action.needs) {
            waited_for[need.action.0] += 1;
        }
        let mut remaining: Vec<u64> = self.actions.iter().map(|action| action.cost.whole).collect();
        let mut ends: Vec<usize> = (0..self.actions.len()).filter(|index| waited_for[*index] == 0).collect();
        let mut seen = 0;
        while let Some(index) = ends.pop() {
            seen += 1;
            for need in &self.actions[index].needs {
                let below = need.action.0;
                let path = remaining[index].saturating_add(self.actions[below].cost.until(need.stage));
                remaining[below] = remaining[below].max(path);
                waited_for[below] -= 1;
                if waited_for[below] == 0 {
                    ends.push(below);
                }
            }
        }
        (seen == self.actions.len()).then_some(remaining)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(actions: &[(u64, &[usize])]) -> Graph {
        let need = |index: &usize| Need { action: ActionId(*index), stage: Stage::Whole };
        let make = |(cost, needs): &(u64, &[usize])| Action {
            name: String::new(),
            needs: needs.iter().map(need).collect(),
            cost: Cost::of(*cost),
        };
        Graph { actions: actions.iter().map(make).collect() }
    }

    #[test]
    fn longest_path() {
        let graph = graph(&[(1, &[]), (10, &[0]), (2, &[0]), (3, &[1, 2]), (5, &[])]);
        assert_eq!(graph.remaining(), Some(vec![14, 13, 5, 3, 5]));
    }

    #[test]
    fn what_waits_for_early_outputs_does_not_wait_for_the_rest() {
        let mut graph = graph(&[(10, &[]), (3, &[0]), (1, &[0])]);
        graph.actions[0].cost = Cost { early: 4, whole: 10 };
        assert_eq!(graph.remaining(), Some(vec![13, 3, 1]));
        graph.actions[1].needs[0].stage = Stage::Early;
        assert_eq!(graph.remaining(), Some(vec![11, 3, 1]), "the other one needs the whole");
        graph.actions[2].needs[0].stage = Stage::Early;
        assert_eq!(graph.remaining(), Some(vec![10, 3, 1]), "its own end comes last");
    }

    #[test]
    fn circle() {
        assert_eq!(graph(&[(1, &[1]), (1, &[0])]).remaining(), None);
    }
}

"""Is it forgotten? Audits of every sample, as pure functions of models' outputs on it. Nothing here imports torch.

Arrays have a row per trial and a column per sample. The *margin* of a sample is log p - log(1 - p), where p is the
model's probability of its label: the true logit minus the logsumexp of the others. The mask *forgotten* holds the
samples that each trial forgot; *unseen*, those that its Retrain was never trained on: the forgotten and the held-out
ones. NaN in an array of margins excludes the model from the comparison.

An audit returns one number per trial, whose mean is its value: intervals come from trials, since the samples of one
model vary together. An audit's *null* is the same formula with Retrain in the unlearned model's place.
"""

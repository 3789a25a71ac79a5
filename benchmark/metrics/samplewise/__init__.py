"""Is it forgotten? Audits of every sample, as pure functions of what models say of it; nothing here imports torch.

Arrays have a row a trial and a column a sample. The *margin* of a sample is log p - log(1 - p), p being the model's
probability of its label: the true logit minus the logsumexp of the others. *Forgotten* is a mask of which samples each
trial forgot, *unseen* of which its Retrain was never trained on: those and what the study holds out. NaN in an array of
margins means that the model has nothing to say in this comparison.

An audit returns one number a trial, whose mean is the audit's value; so intervals come from trials, as the samples of
one model move together. Its *null* is the same formula with Retrain in the unlearned model's place.
"""

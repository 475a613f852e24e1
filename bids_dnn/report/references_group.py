"""Works on inference over participants that the methods text may cite."""

from __future__ import annotations

from bids_dnn.report.reference import Reference

GROUP_WORKS = (
    Reference(
        "allefeld2016",
        "Allefeld, Carsten and Görgen, Kai and Haynes, John-Dylan",
        "Valid population inference for information-based imaging: from the second-level t-test "
        "to prevalence inference",
        2016,
        "NeuroImage 141:378-392",
        "10.1016/j.neuroimage.2016.07.040",
    ),
    Reference(
        "efron1981",
        "Efron, Bradley and Stein, Charles",
        "The jackknife estimate of variance",
        1981,
        "The Annals of Statistics 9:586-596",
        "10.1214/aos/1176345462",
    ),
    Reference(
        "freedman1983",
        "Freedman, David and Lane, David",
        "A nonstochastic interpretation of reported significance levels",
        1983,
        "Journal of Business and Economic Statistics 1:292-298",
        "10.1080/07350015.1983.10509354",
    ),
    Reference(
        "haxby2011",
        "Haxby, James V. and Guntupalli, J. Swaroop and Connolly, Andrew C. and Halchenko, "
        "Yaroslav O. and Conroy, Bryan R. and Gobbini, M. Ida and Hanke, Michael and Ramadge, "
        "Peter J.",
        "A common, high-dimensional model of the representational space in human ventral temporal "
        "cortex",
        2011,
        "Neuron 72:404-416",
        "10.1016/j.neuron.2011.08.026",
    ),
    Reference(
        "ince2021",
        "Ince, Robin A. A. and Paton, Angus T. and Kay, Jim W. and Schyns, Philippe G.",
        "Bayesian inference of population prevalence",
        2021,
        "eLife 10:e62461",
        "10.7554/eLife.62461",
    ),
    Reference(
        "kaplan2015",
        "Kaplan, Jonas T. and Man, Kingson and Greening, Steven G.",
        "Multivariate cross-classification: applying machine learning techniques to characterize "
        "abstraction in neural representations",
        2015,
        "Frontiers in Human Neuroscience 9:151",
        "10.3389/fnhum.2015.00151",
    ),
    Reference(
        "kriegeskorte2006",
        "Kriegeskorte, Nikolaus and Goebel, Rainer and Bandettini, Peter",
        "Information-based functional brain mapping",
        2006,
        "Proceedings of the National Academy of Sciences 103:3863-3868",
        "10.1073/pnas.0600244103",
    ),
    Reference(
        "laird1982",
        "Laird, Nan M. and Ware, James H.",
        "Random-effects models for longitudinal data",
        1982,
        "Biometrics 38:963-974",
        "10.2307/2529876",
    ),
    Reference(
        "nili2014",
        "Nili, Hamed and Wingfield, Cai and Walther, Alexander and Su, Li and Marslen-Wilson, "
        "William and Kriegeskorte, Nikolaus",
        "A toolbox for representational similarity analysis",
        2014,
        "PLOS Computational Biology 10:e1003553",
        "10.1371/journal.pcbi.1003553",
    ),
    Reference(
        "smith2009",
        "Smith, Stephen M. and Nichols, Thomas E.",
        "Threshold-free cluster enhancement: addressing problems of smoothing, threshold "
        "dependence and localisation in cluster inference",
        2009,
        "NeuroImage 44:83-98",
        "10.1016/j.neuroimage.2008.03.061",
    ),
    Reference(
        "stelzer2013",
        "Stelzer, Johannes and Chen, Yi and Turner, Robert",
        "Statistical inference and multiple testing correction in classification-based "
        "multi-voxel pattern analysis (MVPA): random permutations and cluster size control",
        2013,
        "NeuroImage 65:69-82",
        "10.1016/j.neuroimage.2012.09.063",
    ),
    Reference(
        "welch1947",
        "Welch, Bernard L.",
        "The generalization of 'Student's' problem when several different population variances "
        "are involved",
        1947,
        "Biometrika 34:28-35",
        "10.1093/biomet/34.1-2.28",
    ),
    Reference(
        "wilcoxon1945",
        "Wilcoxon, Frank",
        "Individual comparisons by ranking methods",
        1945,
        "Biometrics Bulletin 1:80-83",
        "10.2307/3001968",
    ),
    Reference(
        "winkler2014",
        "Winkler, Anderson M. and Ridgway, Gerard R. and Webster, Matthew A. and Smith, Stephen "
        "M. and Nichols, Thomas E.",
        "Permutation inference for the general linear model",
        2014,
        "NeuroImage 92:381-397",
        "10.1016/j.neuroimage.2014.01.060",
    ),
)

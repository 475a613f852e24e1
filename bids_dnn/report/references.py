"""What the methods text may cite, by key."""

from __future__ import annotations

from bids_dnn.report.reference import Reference
from bids_dnn.report.references_data import DATA_WORKS
from bids_dnn.report.references_group import GROUP_WORKS

__all__ = ["REFERENCES", "Reference"]


_ALL = (
    Reference(
        "abdulrahman2016",
        "Abdulrahman, Hunar and Henson, Richard N.",
        "Effect of trial-to-trial variability on optimal event-related fMRI design: implications "
        "for beta-series correlation and multi-voxel pattern analysis",
        2016,
        "NeuroImage 125:756-766",
        "10.1016/j.neuroimage.2015.11.009",
    ),
    Reference(
        "abraham2014",
        "Abraham, Alexandre and Pedregosa, Fabian and others",
        "Machine learning for neuroimaging with scikit-learn",
        2014,
        "Frontiers in Neuroinformatics 8:14",
        "10.3389/fninf.2014.00014",
    ),
    Reference(
        "allen1974",
        "Allen, David M.",
        "The relationship between variable selection and data augmentation and a method for "
        "prediction",
        1974,
        "Technometrics 16:125-127",
        "10.1080/00401706.1974.10489157",
    ),
    Reference(
        "allen2022",
        "Allen, Emily J. and St-Yves, Ghislain and others",
        "A massive 7T fMRI dataset to bridge cognitive neuroscience and artificial intelligence",
        2022,
        "Nature Neuroscience 25:116-126",
        "10.1038/s41593-021-00962-x",
    ),
    Reference(
        "bashivan2019",
        "Bashivan, Pouya and Kar, Kohitij and DiCarlo, James J.",
        "Neural population control via deep image synthesis",
        2019,
        "Science 364:eaav9436",
        "10.1126/science.aav9436",
    ),
    Reference(
        "benjamini1995",
        "Benjamini, Yoav and Hochberg, Yosef",
        "Controlling the false discovery rate: a practical and powerful approach to multiple "
        "testing",
        1995,
        "Journal of the Royal Statistical Society B 57:289-300",
        "10.1111/j.2517-6161.1995.tb02031.x",
    ),
    Reference(
        "chang2011",
        "Chang, Chih-Chung and Lin, Chih-Jen",
        "LIBSVM: a library for support vector machines",
        2011,
        "ACM Transactions on Intelligent Systems and Technology 2(3):27",
        "10.1145/1961189.1961199",
    ),
    Reference(
        "dejong1993",
        "de Jong, Sijmen",
        "SIMPLS: an alternative approach to partial least squares regression",
        1993,
        "Chemometrics and Intelligent Laboratory Systems 18:251-263",
        "10.1016/0169-7439(93)85002-X",
    ),
    Reference(
        "dupre2022",
        "Dupré la Tour, Tom and Eickenberg, Michael and Nunez-Elizalde, Anwar O. and "
        "Gallant, Jack L.",
        "Feature-space selection with banded ridge regression",
        2022,
        "NeuroImage 264:119728",
        "10.1016/j.neuroimage.2022.119728",
    ),
    Reference(
        "efron1993",
        "Efron, Bradley and Tibshirani, Robert J.",
        "An introduction to the bootstrap",
        1993,
        "Chapman and Hall",
        "10.1007/978-1-4899-4541-9",
    ),
    Reference(
        "esteban2019",
        "Esteban, Oscar and Markiewicz, Christopher J. and others",
        "fMRIPrep: a robust preprocessing pipeline for functional MRI",
        2019,
        "Nature Methods 16:111-116",
        "10.1038/s41592-018-0235-4",
    ),
    Reference(
        "friston1994",
        "Friston, Karl J. and Holmes, Andrew P. and others",
        "Statistical parametric maps in functional imaging: a general linear approach",
        1994,
        "Human Brain Mapping 2:189-210",
        "10.1002/hbm.460020402",
    ),
    Reference(
        "golub1979",
        "Golub, Gene H. and Heath, Michael and Wahba, Grace",
        "Generalized cross-validation as a method for choosing a good ridge parameter",
        1979,
        "Technometrics 21:215-223",
        "10.1080/00401706.1979.10489751",
    ),
    Reference(
        "gorgolewski2011",
        "Gorgolewski, Krzysztof and Burns, Christopher D. and others",
        "Nipype: a flexible, lightweight and extensible neuroimaging data processing framework in "
        "Python",
        2011,
        "Frontiers in Neuroinformatics 5:13",
        "10.3389/fninf.2011.00013",
    ),
    Reference(
        "gorgolewski2016",
        "Gorgolewski, Krzysztof J. and Auer, Tibor and others",
        "The brain imaging data structure, a format for organizing and describing outputs of "
        "neuroimaging experiments",
        2016,
        "Scientific Data 3:160044",
        "10.1038/sdata.2016.44",
    ),
    Reference(
        "gorgolewski2017",
        "Gorgolewski, Krzysztof J. and Alfaro-Almagro, Fidel and others",
        "BIDS apps: improving ease of use, accessibility, and reproducibility of neuroimaging "
        "data analysis methods",
        2017,
        "PLOS Computational Biology 13:e1005209",
        "10.1371/journal.pcbi.1005209",
    ),
    Reference(
        "haxby2001",
        "Haxby, James V. and Gobbini, M. Ida and Furey, Maura L. and Ishai, Alumit and "
        "Schouten, Jennifer L. and Pietrini, Pietro",
        "Distributed and overlapping representations of faces and objects in ventral temporal "
        "cortex",
        2001,
        "Science 293:2425-2430",
        "10.1126/science.1063736",
    ),
    Reference(
        "hoerl1970",
        "Hoerl, Arthur E. and Kennard, Robert W.",
        "Ridge regression: biased estimation for nonorthogonal problems",
        1970,
        "Technometrics 12:55-67",
        "10.1080/00401706.1970.10488634",
    ),
    Reference(
        "kay2008",
        "Kay, Kendrick N. and Naselaris, Thomas and Prenger, Ryan J. and Gallant, Jack L.",
        "Identifying natural images from human brain activity",
        2008,
        "Nature 452:352-355",
        "10.1038/nature06713",
    ),
    Reference(
        "klindt2017",
        "Klindt, David A. and Ecker, Alexander S. and Euler, Thomas and Bethge, Matthias",
        "Neural system identification for large populations separating what and where",
        2017,
        "Advances in Neural Information Processing Systems 30",
        "10.48550/arXiv.1711.02653",
    ),
    Reference(
        "krizhevsky2014",
        "Krizhevsky, Alex",
        "One weird trick for parallelizing convolutional neural networks",
        2014,
        "arXiv:1404.5997",
        "10.48550/arXiv.1404.5997",
        kind="misc",
    ),
    Reference(
        "krizhevsky2017",
        "Krizhevsky, Alex and Sutskever, Ilya and Hinton, Geoffrey E.",
        "ImageNet classification with deep convolutional neural networks",
        2017,
        "Communications of the ACM 60:84-90 (first published 2012)",
        "10.1145/3065386",
    ),
    Reference(
        "langsrud2005",
        "Langsrud, Øyvind",
        "Rotation tests",
        2005,
        "Statistics and Computing 15:53-60",
        "10.1007/s11222-005-4789-5",
    ),
    Reference(
        "ledoit2004",
        "Ledoit, Olivier and Wolf, Michael",
        "A well-conditioned estimator for large-dimensional covariance matrices",
        2004,
        "Journal of Multivariate Analysis 88:365-411",
        "10.1016/S0047-259X(03)00096-4",
    ),
    Reference(
        "mumford2012",
        "Mumford, Jeanette A. and Turner, Benjamin O. and Ashby, F. Gregory and "
        "Poldrack, Russell A.",
        "Deconvolving BOLD activation in event-related designs for multivoxel pattern "
        "classification analyses",
        2012,
        "NeuroImage 59:2636-2643",
        "10.1016/j.neuroimage.2011.08.076",
    ),
    Reference(
        "nadeau2003",
        "Nadeau, Claude and Bengio, Yoshua",
        "Inference for the generalization error",
        2003,
        "Machine Learning 52:239-281",
        "10.1023/A:1024068626366",
    ),
    Reference(
        "nichols2002",
        "Nichols, Thomas E. and Holmes, Andrew P.",
        "Nonparametric permutation tests for functional neuroimaging: a primer with examples",
        2002,
        "Human Brain Mapping 15:1-25",
        "10.1002/hbm.1058",
    ),
    Reference(
        "ojala2010",
        "Ojala, Markus and Garriga, Gemma C.",
        "Permutation tests for studying classifier performance",
        2010,
        "Journal of Machine Learning Research 11:1833-1863",
        url="https://jmlr.org/papers/v11/ojala10a.html",
    ),
    Reference(
        "paszke2019",
        "Paszke, Adam and Gross, Sam and others",
        "PyTorch: an imperative style, high-performance deep learning library",
        2019,
        "Advances in Neural Information Processing Systems 32",
        "10.48550/arXiv.1912.01703",
    ),
    Reference(
        "pedregosa2011",
        "Pedregosa, Fabian and Varoquaux, Gaël and others",
        "Scikit-learn: machine learning in Python",
        2011,
        "Journal of Machine Learning Research 12:2825-2830",
        url="https://jmlr.org/papers/v12/pedregosa11a.html",
    ),
    Reference(
        "phipson2010",
        "Phipson, Belinda and Smyth, Gordon K.",
        "Permutation p-values should never be zero: calculating exact p-values when permutations "
        "are randomly drawn",
        2010,
        "Statistical Applications in Genetics and Molecular Biology 9:39",
        "10.2202/1544-6115.1585",
    ),
    Reference(
        "schoppe2016",
        "Schoppe, Oliver and Harper, Nicol S. and Willmore, Ben D. B. and King, Andrew J. and "
        "Schnupp, Jan W. H.",
        "Measuring the performance of neural models",
        2016,
        "Frontiers in Computational Neuroscience 10:10",
        "10.3389/fncom.2016.00010",
    ),
    Reference(
        "vovk2020",
        "Vovk, Vladimir and Wang, Ruodu",
        "Combining p-values via averaging",
        2020,
        "Biometrika 107:791-808",
        "10.1093/biomet/asaa027",
    ),
    Reference(
        "walther2016",
        "Walther, Alexander and Nili, Hamed and Ejaz, Naveed and Alink, Arjen and Kriegeskorte, "
        "Nikolaus and Diedrichsen, Jörn",
        "Reliability of dissimilarity measures for multi-voxel pattern analysis",
        2016,
        "NeuroImage 137:188-200",
        "10.1016/j.neuroimage.2015.12.012",
    ),
    Reference(
        "westfall1993",
        "Westfall, Peter H. and Young, S. Stanley",
        "Resampling-based multiple testing: examples and methods for p-value adjustment",
        1993,
        "Wiley, New York, ISBN 978-0-471-55761-6",
        url="https://search.worldcat.org/search?q=bn:9780471557616",
        kind="book",
    ),
)
REFERENCES = {
    one.key: one for one in sorted((*_ALL, *DATA_WORKS, *GROUP_WORKS), key=lambda one: one.key)
}

"""scipy.signal, scipy.fft and scipy.ndimage on tensors."""

from __future__ import annotations

import numpy as np
import scipy
from clients.case import Table, normal, uniform
from scipy import signal

from agnograd.interop import scipy_fft

scipy_signal = Table("SciPy", scipy)
add = scipy_signal

X = normal(2, 12)
Y = normal(2, 5, seed=1)
IMAGE = normal(4, 5)
KERNEL = normal(3, 2, seed=1)
EVENTS = uniform(8, low=0.0, high=6.0)
B = np.asarray([0.4, 0.5, 0.3])
A = np.asarray([1.0, -0.4, 0.2])
ZEROS = np.asarray([-0.3 + 0.2j, -0.3 - 0.2j])
POLES = np.asarray([-0.5 + 0.4j, -0.5 - 0.4j, -0.8 + 0.1j])
GAIN = np.asarray(1.4)
FREQUENCIES = np.linspace(0.2, 2.5, 6)
SOS = np.asarray([[0.4, 0.5, 0.3, 1.0, -0.4, 0.2]])


def with_denominator(numerator):
    """Second-order sections of numerators, which are differentiated: a denominator has to begin with 1."""
    xp = numerator.__array_namespace__()
    return xp.concat([numerator, xp.asarray(SOS[:, 3:])], axis=1)


# -- convolution and spectra
add("signal.fftconvolve", X, Y, axes=1, wrt=(0, 1))
add("signal.fftconvolve:same", IMAGE, KERNEL, mode="same", wrt=(0, 1))
add("signal.fftconvolve:valid", IMAGE, KERNEL, mode="valid", wrt=(0, 1))
add("signal.oaconvolve", normal(100), normal(6, seed=1), wrt=(0, 1))
add("signal.oaconvolve:rows", normal(2, 100), Y[:, :4], axes=1, wrt=(0, 1))
add("signal.convolve", X[0], Y[0], method="fft", wrt=(0, 1))
add("signal.convolve:direct", X[0], Y[0], method="direct", wrt=(0, 1))
add("signal.correlate", X[0], Y[0], method="fft", wrt=(0, 1))
add("signal.correlate:direct", X[0], Y[0], method="direct", wrt=(0, 1))
add("signal.convolve2d", IMAGE, KERNEL, wrt=(0, 1))
add("signal.correlate2d", IMAGE, KERNEL, wrt=(0, 1))
add("signal.hilbert", X)
add("signal.hilbert:axis", X, axis=0)
add("signal.hilbert2", IMAGE)
add("signal.envelope", X[0], (1, 4))
add("signal.envelope:residual", X[0], (None, 4), residual="all")
add("signal.resample", X, 9, axis=1)
add("signal.resample:up", X, 17, axis=1)
add("signal.resample:window", X, 9, axis=1, window="hann")
add("signal.resample_poly", X, 2, 3, axis=1)
add("signal.decimate", normal(40), 2)
add("signal.upfirdn", Y[0], X[0], wrt=(0, 1))
add("signal.vectorstrength", EVENTS, 1.7)
add("signal.vectorstrength:period", EVENTS, np.asarray([1.7, 0.9]), wrt=(0, 1))
add("signal.detrend", X)
add("signal.detrend:constant", X, type="constant")
add("signal.welch", normal(32), nperseg=8)
add("signal.csd", normal(32), normal(32, seed=1), nperseg=8, wrt=(0, 1))
add("signal.coherence", normal(32), normal(32, seed=1), nperseg=8, wrt=(0, 1))
add("signal.periodogram", normal(16))
add("signal.spectrogram", normal(32), nperseg=8)
add("signal.stft", normal(32), nperseg=8)
add("signal.istft", normal(5, 9, dtype=complex), nperseg=8)
add("signal.lombscargle", EVENTS, normal(8), FREQUENCIES, wrt=1)
add("signal.czt", X[0])
add("signal.zoom_fft", X[0], 0.5)
add("signal.wiener", X[0], 3)
add("signal.medfilt", X[0], 3)
add("signal.medfilt2d", IMAGE, 3)
add("signal.order_filter", X[0], np.ones(3), 1)
add("signal.savgol_filter", X[0], 5, 2)
add("signal.cspline1d", X[0])
add("signal.qspline1d", X[0])
add("signal.cspline2d", normal(30, 30))
add("signal.symiirorder1", normal(40), 0.5, 0.3)
add("signal.sepfir2d", IMAGE, np.ones(3), np.ones(3))
add("signal.gauss_spline", X[0], 3)
add("signal.find_peaks", X[0], do=lambda x: signal.find_peaks(x, height=-5.0)[1]["peak_heights"])
add("signal.peak_widths", X[0], [3], do=lambda x, peaks: signal.peak_widths(x, signal.find_peaks(x)[0]))
add("signal.deconvolve", X[0], A, wrt=(0, 1))
add("signal.unique_roots", X[0])
add("signal.chirp", FREQUENCIES, 1.0, 2.0, 3.0)
add("signal.sawtooth", FREQUENCIES, 0.3)
add("signal.square", FREQUENCIES, 0.3)
add("signal.gausspulse", FREQUENCIES, 2)
add("signal.sweep_poly", FREQUENCIES, np.asarray([0.3, 0.2]), wrt=(0, 1))

# -- filters
add("signal.lfilter", B, A, X, wrt=(0, 1, 2))
add("signal.lfilter_zi", B, 2 * A, wrt=(0, 1))
add("signal.filtfilt", B, A, X, wrt=(0, 1, 2))
add("signal.sosfilt", SOS, X, wrt=(0, 1))
add("signal.sosfilt_zi", SOS[:, :3], do=lambda b: signal.sosfilt_zi(with_denominator(b)))
add("signal.sosfiltfilt", SOS, X, wrt=(0, 1))
add("signal.freqz", B, A, FREQUENCIES, wrt=(0, 1))
add("signal.freqz:denominator 1", B, worN=FREQUENCIES)
add("signal.freqz:fft", B, worN=8)
add("signal.freqs", B, A, FREQUENCIES, wrt=(0, 1))
add("signal.freqz_zpk", ZEROS, POLES, GAIN, FREQUENCIES, wrt=(0, 1))
add("signal.freqs_zpk", ZEROS, POLES, GAIN, FREQUENCIES, wrt=(0, 1))
add("signal.freqz_sos", SOS[:, :3], FREQUENCIES, do=lambda b, w: signal.freqz_sos(with_denominator(b), w))
add("signal.bilinear", B, A, 2.0, wrt=(0, 1))
add("signal.bilinear_zpk", ZEROS, POLES, GAIN, 2.0, wrt=(0, 1))
add("signal.lp2lp", B, A, 2.0, wrt=(0, 1))
add("signal.lp2hp", B, A, 2.0, wrt=(0, 1))
add("signal.lp2bp", B, A, 2.0, 0.7, wrt=(0, 1))
add("signal.lp2bs", B, A, 2.0, 0.7, wrt=(0, 1))
add("signal.lp2lp_zpk", ZEROS, POLES, GAIN, 2.0, wrt=(0, 1))
add("signal.lp2hp_zpk", ZEROS, POLES, GAIN, 2.0, wrt=(0, 1))
add("signal.lp2bp_zpk", ZEROS, POLES, GAIN, 2.0, 0.7, wrt=(0, 1))
add("signal.lp2bs_zpk", ZEROS, POLES, GAIN, 2.0, 0.7, wrt=(0, 1))
add("signal.normalize", B, A * 2, wrt=(0, 1))
add("signal.tf2zpk", B, A, wrt=(0, 1))
add("signal.zpk2tf", ZEROS, POLES, GAIN, wrt=(0, 1))
add("signal.tf2sos", B, A, wrt=(0, 1))
add("signal.zpk2sos", ZEROS, POLES[:2], GAIN, wrt=(0, 1))
add("signal.sos2tf", SOS)
add("signal.sos2zpk", SOS)
add("signal.tf2ss", B, A, wrt=(0, 1))
add("signal.residue", B, A, wrt=(0, 1))
add("signal.abcd_normalize", normal(2, 2), normal(2, 1), normal(1, 2), normal(1, 1), wrt=(0, 1, 2, 3))
add("signal.minimum_phase", np.asarray([0.1, 0.4, 0.9, 0.4, 0.1]))
add("signal.firwin", 7, np.asarray([0.2, 0.5]), wrt=1)
add("signal.firwin:one", 7, np.asarray([0.4]), wrt=1)
add("signal.firwin2", 7, np.asarray([0.0, 0.5, 1.0]), np.asarray([1.0, 0.7, 0.1]), wrt=2)
add("signal.firls", 7, np.asarray([0.0, 0.3, 0.5, 1.0]), np.asarray([1.0, 0.9, 0.2, 0.1]), wrt=2)
add("signal.remez", 7, np.asarray([0.0, 0.1, 0.2, 0.5]), np.asarray([1.0, 0.1]), wrt=2)
add(
    "signal.place_poles",
    normal(2, 2),
    normal(2, 2, seed=1),
    np.asarray([-1.0, -2.0]),
    wrt=(0, 1),
    do=lambda a, b, p: signal.place_poles(a, b, p).gain_matrix,
)
add("signal.cont2discrete", normal(2, 2), do=lambda a: signal.cont2discrete((a, B[:2, None], A[None, :2], 0.0), 0.1)[0])
add("signal.lsim", X[0], do=lambda u: signal.lsim((B, A), u, np.arange(12.0))[1])
add("signal.impulse", B, do=lambda b: signal.impulse((b, A))[1])
add("signal.iirfilter", np.asarray(0.3), do=lambda w: signal.iirfilter(2, w, btype="lowpass"))
add("signal.butter", np.asarray(0.3), do=lambda w: signal.butter(2, w))
add("signal.iirnotch", np.asarray(0.3), do=lambda w: signal.iirnotch(w, 5.0))


def window(name, *parameters):
    """A window as a function of its parameter."""
    make = getattr(signal.windows, name)

    def call(parameter):
        return make(9, *parameters[:-1], parameter, xp=parameter.__array_namespace__())

    add(f"signal.windows.{name}", np.asarray(parameters[-1]), do=call, special=name.startswith("kaiser"))


window("gaussian", 1.7)
window("general_gaussian", 1.5, 1.7)
window("exponential", None, 1.7)
window("tukey", 0.4)
window("kaiser", 2.5)
window("general_hamming", 0.6)
window("chebwin", 60.0)
add("signal.windows.general_cosine", np.asarray([0.5, 0.4, 0.1]), do=lambda a: signal.windows.general_cosine(9, a))

# -- transforms
for name in ("fft", "ifft", "hfft", "ihfft", "rfft", "irfft"):
    add(f"fft.{name}", X if name in ("rfft", "ihfft") else normal(2, 6, dtype=complex), norm="ortho")
for name in ("fft2", "ifft2", "fftn", "ifftn", "irfft2", "irfftn"):
    add(f"fft.{name}", normal(3, 4, dtype=complex))
for name in ("rfft2", "rfftn"):
    add(f"fft.{name}", IMAGE)


def with_backend(name):
    """A transform in a block where agnograd's backend of scipy.fft is set."""
    function = getattr(scipy.fft, name)

    def call(x, **options):
        with scipy.fft.set_backend(scipy_fft):
            return function(x, **options)

    return call


for name in ("dct", "idct", "dst", "idst", "dctn", "idctn", "dstn", "idstn"):
    add(f"fft.{name}", X, do=with_backend(name))
for kind in (1, 3, 4):
    add(f"fft.dct:type {kind}", X, type=kind, norm="ortho", axis=0, do=with_backend("dct"))
    add(f"fft.dst:type {kind}", X, type=kind, norm="forward", n=7, do=with_backend("dst"))
add("fft.dct:without a backend", X)
add("fft.fht", np.exp(X), 0.1, 0.3)
add("fft.ifht", np.exp(X), 0.1, 0.3)
add("fft.fftshift", X)
add("fft.ifftshift", X)

# -- images
for name, arguments in {
    "gaussian_filter": (1.2,),
    "uniform_filter": (3,),
    "convolve": (KERNEL,),
    "correlate": (KERNEL,),
    "sobel": (),
    "laplace": (),
    "median_filter": (3,),
    "maximum_filter": (3,),
    "shift": (0.4,),
    "zoom": (1.5,),
    "rotate": (20,),
    "map_coordinates": (uniform(2, 6, low=0.5, high=2.5),),
    "affine_transform": (np.eye(2) * 1.1,),
    "spline_filter": (),
    "fourier_gaussian": (1.2,),
    "distance_transform_edt": (),
    "center_of_mass": (),
    "sum_labels": (),
}.items():
    add(f"ndimage.{name}", IMAGE, *arguments)

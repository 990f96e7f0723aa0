"""The words of generated usernames: an adjective and the surname of somebody who built or measured things."""

ADJECTIVES = """
able agile amber ample apt avid awake balmy bold brave breezy bright brisk calm candid careful cheerful chief
clean clear clever cordial cosy crisp curious daring deft dapper early earnest easy elated equal exact fair
fancy fast fearless fine firm fleet fond frank free fresh friendly gallant gentle genuine glad golden grand
handy happy hardy hearty honest humble ideal jolly keen kind large lasting lean light lively logical loyal
lucid lucky mellow merry mild modest neat nimble noble novel open patient peaceful placid plucky polite
precise prime prompt proud quick quiet ready regal robust rosy serene sharp silent silver simple sincere smart
smooth snug sober solid spry stable steady still stout sturdy subtle sunny sure swift tidy timely trim true
trusty upbeat vast vivid warm wise witty worthy young zesty
""".split()

SURNAMES = """
abel ampere archimedes babbage bardeen bell bernoulli bessel bode bohr boole bosch boyle braun brunel carnot
cauchy cavendish celsius cerf clarke cooper coulomb cray crompton curie daimler davy dean deere diesel dirac
doppler edison einstein engelbart erlang euler fahrenheit faraday fermat fermi ferraris feynman fourier
franklin fresnel galilei galvani gauss germain gibbs goddard goethals hahn halley hamming hertz hooke hopper
huygens jacobi jacquard joule kahn kalman kelvin kepler keller kilby kirchhoff kolmogorov lamarr lamport
laplace leibniz lenz lorentz lovelace mach marconi markov maxwell meitner mendel morse nagel napier nernst
newton nobel noether noyce nyquist ohm otto papin pascal pauling peano planck poisson ritchie roentgen shannon
siemens sommer stephenson steinmetz stokes telford tesla thomson torres torvalds turing tyndall varley vogel
volta watt weber wheeler whittle wiener wiles wirth wright young zeiss zuse
""".split()

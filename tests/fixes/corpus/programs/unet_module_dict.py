'''Named stages in an nn.ModuleDict.'''
# corpus: Segmenter() at (N, 3, H, W) returns its size at multiples of 4
from torch import nn
import torch as th

class Segmenter( nn.Module ):
  def __init__( self, classes = 5 ):
    super().__init__()
    self.stages = nn.ModuleDict( {
      'stem'  : nn.Conv2d( 3, 8, 3, padding = 1 ),
      'down_a': nn.Conv2d( 8, 16, 3, stride = 2, padding = 1 ),
      'down_b': nn.Conv2d( 16, 32, 3, stride = 2, padding = 1 ),
      'up_b'  : nn.ConvTranspose2d( 32, 16, 3, stride = 2, padding = 1 ),
      'up_a'  : nn.ConvTranspose2d( 32, 8, 3, stride = 2, padding = 1 ),
      'head'  : nn.Conv2d( 16, classes, 1 ),
    } )

  def forward( self, x ):
    s = self.stages
    x0 = s['stem']( x ).relu()
    x1 = s['down_a']( x0 ).relu()
    x2 = s['down_b']( x1 ).relu()
    y1 = th.cat( ( s['up_b']( x2 ), x1 ), 1 )
    y0 = th.cat( ( s['up_a']( y1 ), x0 ), 1 )
    return s['head']( y0 )

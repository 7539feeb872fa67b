from .comparisons import train_all as train_all
from .datasets import ImageData as ImageData
from .datasets import dataset as dataset
from .image_files import DataError as DataError
from .job import train as train
from .recipe import Recipe as Recipe
from .recipe import RecipeError as RecipeError
from .task import TrainingError as TrainingError
